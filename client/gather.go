package client

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// The bounds of what callers share.
const (
	// maxUnderWay is how many messages of an operation are under way before commands
	// gather: while the server works on one, the next is on its way.
	maxUnderWay = 2
	// maxBatchBytes bounds the commands in a message. One of more than a part of it
	// goes alone.
	maxBatchBytes = 256 << 10
	maxOrderBytes = maxBatchBytes / 8
	// patience is for how long commands gather at most, such as when an answer was
	// lost: then they go, whatever is under way.
	patience = 100 * time.Millisecond
)

// gatherer has callers of one operation share messages, as the log has its writers
// share a sync: while messages are under way commands gather, and the next message
// has them all. Nobody waits when nothing is under way, and a command that is by
// itself goes as the request that it is.
//
// There is no goroutine for it. One of those that wait leads: it sends what has
// gathered. There is a leader whenever something waits and may be sent.
type gatherer struct {
	c  *Client
	op string

	mu       sync.Mutex
	waiting  []*order    // not sent, as they came; the first one leads, if any does
	leading  bool        // the first one leads
	underWay int         // messages, also that of the leader
	late     *time.Timer // has what waits sent
}

// order is a command that is gathered.
type order struct {
	encoded wire.Order
	turn    chan turn // room for one: whoever has it told something has taken it before

	outcome metalog.Outcome // set before it is told that it is answered
	batch   *batch          // that it was sent in; guarded by gatherer.mu
}

// turn is what a waiting caller is told.
type turn int

const (
	lead     turn = iota // send what waits
	alone                // send yours by yourself, as one of the messages under way
	again                // the server takes no batch, and has done nothing: send yours by yourself
	answered             // that was it
)

// batch is a message under way.
type batch struct {
	orders []*order
	wanted int         // of whose orders the caller still waits; guarded by gatherer.mu
	forget func() bool // of its answer; set once it is sent
}

func newGatherer(c *Client, op string) *gatherer {
	g := &gatherer{c: c, op: op}
	g.late = time.AfterFunc(c.patience, g.hurry)
	g.late.Stop()
	return g
}

// execute does a command, in a message with others or alone.
func (g *gatherer) execute(ctx context.Context, cmd metalog.Command, opts metalog.CommandOptions) (metalog.Result, error) {
	encoded, err := wire.EncodeOrder(cmd, opts)
	if err != nil || encoded.Bytes() > maxOrderBytes {
		return g.c.executeAlone(ctx, cmd, opts)
	}
	o := &order{encoded: encoded, turn: make(chan turn, 1)}
	g.join(o)
	for {
		select {
		case t := <-o.turn:
			switch t {
			case lead:
				runtime.Gosched() // those who were just answered come along
				g.send()
			case alone:
				defer g.ended()
				return g.c.executeAlone(ctx, cmd, opts)
			case again:
				return g.c.executeAlone(ctx, cmd, opts)
			case answered:
				return o.outcome.Result, o.outcome.Err
			}
		case <-ctx.Done():
			return g.giveUp(ctx, o)
		}
	}
}

func (g *gatherer) join(o *order) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, o)
	g.next()
	if len(g.waiting) == 1 && !g.leading {
		g.late.Reset(g.c.patience)
	}
}

// next makes the first one lead when something waits and may be sent. g.mu is held.
func (g *gatherer) next() {
	if len(g.waiting) > 0 && !g.leading && g.underWay < maxUnderWay {
		g.follow()
	}
}

func (g *gatherer) follow() {
	g.leading = true
	g.underWay++
	g.waiting[0].turn <- lead
}

// hurry has what waits sent, whatever is under way.
func (g *gatherer) hurry() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) > 0 && !g.leading {
		g.follow()
	}
}

// ended is called when a message is not under way any more.
func (g *gatherer) ended() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay--
	g.next()
}

// send sends what waits. Its caller leads.
func (g *gatherer) send() {
	b := g.take()
	if len(b.orders) == 1 {
		b.orders[0].turn <- alone
		return
	}
	if err := g.c.sendBatch(g.op, b, func(outcomes []metalog.Outcome, err error) { g.tell(b, outcomes, err) }); err != nil {
		g.tell(b, nil, err)
	}
}

// take takes what waits, as much as one message holds.
func (g *gatherer) take() *batch {
	count, size := int(g.c.maxBatch.Load()), g.c.maxBatchBytes()
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 1
	size -= g.waiting[0].encoded.Bytes()
	for n < min(count, len(g.waiting)) && g.waiting[n].encoded.Bytes() <= size {
		size -= g.waiting[n].encoded.Bytes()
		n++
	}
	b := &batch{orders: slices.Clone(g.waiting[:n]), wanted: n}
	for _, o := range b.orders {
		o.batch = b
	}
	g.waiting = slices.Delete(g.waiting, 0, n)
	g.leading = false
	g.late.Stop()
	if g.next(); len(g.waiting) > 0 {
		g.late.Reset(g.c.patience)
	}
	return b
}

// tell tells the callers of a message what became of it. An error is of all of
// them, but errNoBatches.
func (g *gatherer) tell(b *batch, outcomes []metalog.Outcome, err error) {
	t := answered
	if errors.Is(err, errNoBatches) {
		t = again
	}
	for i, o := range b.orders {
		if o.outcome.Err = err; err == nil {
			o.outcome = outcomes[i]
		}
		o.turn <- t
	}
	g.ended()
}

// giveUp ends a caller's wait. A command that was not sent never will be; else the
// others of its message go on, and when there are none, the message is over.
func (g *gatherer) giveUp(ctx context.Context, o *order) (metalog.Result, error) {
	if g.withdraw(o) {
		return metalog.Result{}, unsent(g.op, ctx.Err())
	}
	select {
	case t := <-o.turn:
		switch t {
		case answered:
			return o.outcome.Result, o.outcome.Err
		case alone:
			g.ended()
		}
		return metalog.Result{}, unsent(g.op, ctx.Err())
	default:
	}
	if g.abandoned(o.batch) && o.batch.forget() {
		g.ended()
	}
	return metalog.Result{}, g.c.commandError(g.op, ctx.Err())
}

// withdraw takes an order from those that wait, and reports whether it was there.
func (g *gatherer) withdraw(o *order) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, o)
	if i < 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	if i > 0 || !g.leading {
		return true
	}
	if len(g.waiting) > 0 {
		g.waiting[0].turn <- lead
	} else {
		g.leading = false
		g.underWay--
	}
	return true
}

// abandoned reports whether nobody waits for a message any more.
func (g *gatherer) abandoned(b *batch) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b.wanted--
	return b.wanted == 0
}

func unsent(op string, cause error) error {
	return events.Errorf(events.CodeUnavailable, "%s was not sent: %w", op, cause)
}
