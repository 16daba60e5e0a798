package metalog

import (
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/views"
)

// logWriter makes groups durable, one after the other, in one goroutine. Only
// after that it shows their rows to readers and answers their requests, in this
// order.
type logWriter struct {
	in     <-chan *group
	idle   chan<- *group // tells the sequencer that it is free
	log    eventlog.Log
	db     *views.DB
	fail   func(error)   // stops the store
	failed func() error  // why it stopped, or nil
	flush  chan struct{} // one slot: there are rows to flush

	continues chan struct{} // one slot: a cascade goes on in further records
}

// run works until in is closed.
func (w *logWriter) run() {
	for g := range w.in {
		w.commit(g)
		g.answered = time.Now()
		w.idle <- g
	}
}

func (w *logWriter) commit(g *group) {
	if err := w.failed(); err != nil {
		g.refuse(err)
		return
	}
	if g.frames.Len() > 0 {
		if err := w.log.Append(g.frames); err != nil {
			w.fail(err)
			g.doubt(err)
			return
		}
	}
	w.db.Publish(g.state)
	for _, req := range g.waiting {
		if req.result.Continues {
			wake(w.continues) // not earlier: whoever goes on looks at what is published
		}
		req.done <- struct{}{}
	}
	if g.state.Frozen() {
		wake(w.flush)
	}
}

// refuse answers that nothing of the group was done: the store had stopped
// before.
func (g *group) refuse(err error) {
	for _, req := range g.waiting {
		req.answer(Result{}, err)
	}
}

// doubt answers after a failed append: whoever has a record in the group learns
// what became of it, the others that their answer can't be given.
func (g *group) doubt(cause error) {
	for _, req := range g.waiting {
		err := cause
		if !req.wrote {
			err = events.Errorf(events.CodeUnavailable, "the store stopped while it answered: %w", cause)
		}
		req.answer(Result{}, err)
	}
}
