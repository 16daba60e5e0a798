package metalog

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/views"
)

// group is what is made durable together: records, and the requests that wait
// for them. A request without a record waits too: its answer was decided on rows
// that may not be durable yet.
type group struct {
	frames   *eventlog.Group
	state    *views.State // after the last record
	waiting  []*request
	answered time.Time // when the log writer was done with it
}

// flushPace is how many times as long as the last flush took rows wait for the next, if
// that is more than their interval: where flushes take long, each is to be worth more. There
// is an end to it, as a crash leaves those rows to be applied again.
const (
	flushPace    = 16
	maxFlushPace = 10 // intervals
)

// sequencer decides all commands, one after the other, in one goroutine that
// owns every field here. It never waits for the disk: while the log writer syncs
// a group, the next one gathers.
type sequencer struct {
	queue <-chan *request
	idle  <-chan *group // from the log writer: it is free, and done with this group
	out   chan<- *group // to the log writer
	tx    *views.Tx
	db    *views.DB

	clock       func() time.Time
	newID       func() uuid.UUID
	digestEvery uint64
	flushEvery  time.Duration
	room        func(bytes int64) error // of the log
	fail        func(error)             // stops the store
	failed      func() error            // why it stopped, or nil
	log         *slog.Logger

	open     *group       // gathers
	head     events.Head  // of open
	last     events.Time  // of the last record
	behind   bool         // the clock is behind last
	flushDue bool         // rows have waited for longer than flushEvery
	age      *time.Ticker // of the rows that wait to be flushed

	handedOver int // requests of the group that the log writer has
	enough     int // requests that make the open group worth handing over; 0: not known yet, see half

	// Of the command that is decided, to be used again by the next.
	decision decision
	rec      events.Record
}

// run works until queue is closed and all that was in it is handed over.
func (s *sequencer) run() {
	defer close(s.out)
	s.age = time.NewTicker(s.flushEvery)
	defer s.age.Stop()
	for {
		queue, idle := s.queue, s.idle
		if s.full() {
			queue = nil
		}
		if !s.worthwhile() {
			idle = nil
		}
		select {
		case req, ok := <-queue:
			if !ok {
				s.finish()
				return
			}
			s.handleAll(req)
			s.gather()
		case spare := <-idle:
			s.meet(spare)
			s.handOver(spare)
		case <-s.age.C:
			s.flushDue = s.tx.PendingBytes() > 0
		}
	}
}

// worthwhile reports whether the open group is worth handing over.
func (s *sequencer) worthwhile() bool { return len(s.open.waiting) > 0 || s.flushDue }

// The bounds of a group, and with it of what a caller waits for.
const (
	maxGroupRequests = 4096
	maxGroupBytes    = 4 << 20
)

func (s *sequencer) full() bool {
	return len(s.open.waiting) >= maxGroupRequests || s.open.frames.Bytes() >= maxGroupBytes
}

// gather takes what is in the queue already, before the group may be handed over: a
// larger group costs the log hardly more than a small one. It ends when the log is idle
// and the group is half of all.
func (s *sequencer) gather() {
	for !s.full() && (len(s.idle) == 0 || !s.half()) {
		select {
		case req, ok := <-s.queue:
			if !ok {
				return // run finds out, too
			}
			s.handleAll(req)
		default:
			return
		}
	}
}

// half reports, once the log is idle, whether the open group has half of all callers: of
// those who waited in it when the log became idle, and of those who were answered then.
// Fewer are not worth a sync, which all others would have to wait for.
func (s *sequencer) half() bool {
	if s.enough == 0 {
		s.enough = max(1, (s.handedOver+len(s.open.waiting))/2)
	}
	return len(s.open.waiting) >= s.enough
}

// meetFor bounds how long a group is held back for more: half of what a sync takes.
const meetFor = 50 * time.Microsecond

// meet waits a moment for those who have just been answered: as a rule they come again,
// and are on their way.
func (s *sequencer) meet(last *group) {
	for end := last.answered.Add(meetFor); !s.half() && !s.full() && time.Now().Before(end); {
		runtime.Gosched()
		s.gather()
	}
}

// finish hands over what is left.
func (s *sequencer) finish() {
	if s.worthwhile() {
		s.handOver(<-s.idle)
	}
}

// handOver closes the open group, gives it to the log writer, and goes on with
// the spare one.
func (s *sequencer) handOver(spare *group) {
	state, err := s.tx.Seal(s.flushDue || s.tx.FreezeDue())
	if err != nil {
		s.fail(err)
	}
	s.open.state, s.flushDue = state, false
	if s.tx.PendingBytes() == 0 {
		s.age.Reset(flushAfter(s.flushEvery, s.db.FlushTime()))
	}
	s.handedOver, s.enough = len(s.open.waiting), 0
	s.out <- s.open
	s.open = spare
	s.open.frames.Reset(s.head)
	clear(s.open.waiting)
	s.open.waiting = s.open.waiting[:0]
	if s.tx.Stalled() && s.failed() == nil {
		// Pending rows are at their limit: take no more until the flush is done. A
		// store that has stopped may never publish the rows to flush; whatever
		// they were handed over with is done, so failed tells of it by now.
		if err := s.db.WaitFlushed(context.Background()); err != nil {
			s.fail(err)
		}
	}
}

// flushAfter is how long rows wait to be flushed, when the last flush took so long.
func flushAfter(interval, took time.Duration) time.Duration {
	return min(max(interval, flushPace*took), maxFlushPace*interval)
}

// handleAll decides a request and those that came with it, in one group if that has room.
func (s *sequencer) handleAll(req *request) {
	with := req.with // once it is answered, it may be used again
	s.handle(req)
	for _, other := range with {
		if s.full() {
			s.handOver(<-s.idle)
		}
		s.handle(other)
	}
}

// handle decides one request. Its answer goes out with the open group.
func (s *sequencer) handle(req *request) {
	if !req.taken.CompareAndSwap(false, true) {
		return
	}
	if err := s.mayWrite(); err != nil {
		req.answer(Result{}, err)
		return
	}
	if err := s.tx.Begin(); err != nil {
		s.fail(err)
		req.answer(Result{}, err)
		return
	}
	req.result, req.err = s.step(req)
	s.open.waiting = append(s.open.waiting, req)
	if _, digest := req.cmd.(recordDigest); req.wrote && !digest && s.head.Seq%s.digestEvery == 0 {
		s.handle(&request{cmd: recordDigest{}, opts: CommandOptions{Actor: SystemActor}, done: make(chan struct{}, 1)})
	}
}

// mayWrite refuses commands when the store has stopped, or when the disk's
// reserve would be touched by the groups that are under way.
func (s *sequencer) mayWrite() error {
	if err := s.failed(); err != nil || len(s.open.waiting) > 0 {
		return err
	}
	return s.room(2 * maxGroupBytes)
}

// step is the way of a command: repeated? → decide → encode → apply.
func (s *sequencer) step(req *request) (Result, error) {
	if result, repeated, err := s.repeated(req); repeated || err != nil {
		return result, err
	}
	d := &s.decision
	*d = decision{
		view: &s.tx.Reader, seq: s.head.Seq + 1, now: s.now(), newID: s.newID,
		ifRevision: req.opts.IfRevision, cause: req.opts.Cause, facts: d.facts[:0],
	}
	if err := d.run(req.cmd); err != nil {
		return Result{}, err
	}
	if len(d.facts) == 0 {
		return Result{Seq: s.head.Seq, Time: s.last, Unchanged: true}, nil
	}
	rec := &s.rec
	*rec = events.Record{Seq: d.seq, Time: d.now, Meta: req.meta(d.cause), Facts: d.facts}
	if err := s.open.frames.Add(rec); err != nil {
		return Result{}, err
	}
	req.wrote = true
	s.head, s.last = s.open.frames.Head(), rec.Time
	rec.Hash = s.head.Hash
	if err := projector.Apply(s.tx, rec); err != nil {
		err = events.Errorf(events.CodeUnavailable, "%s can't be applied, so the store stops: %w", req.cmd.Op(), err)
		s.fail(err)
		return Result{}, err
	}
	return events.ResultOf(rec), nil
}

func (r *request) meta(cause *events.Position) events.Meta {
	return events.Meta{CommandID: r.opts.ID, CommandHash: r.hash, Actor: r.opts.Actor, Cause: cause, Reason: r.opts.Reason}
}

// repeated looks for the request's command id among those of the window.
func (s *sequencer) repeated(req *request) (Result, bool, error) {
	if req.opts.ID == "" {
		return Result{}, false, nil
	}
	row, found, err := s.tx.Command(req.opts.Actor, req.opts.ID)
	if err != nil || !found {
		return Result{}, false, err
	}
	if !bytes.Equal(row.Hash, req.hash) {
		return Result{}, false, events.Errorf(events.CodeConflict, "command id %q was used for another command (seq %d); use an id once", req.opts.ID, row.Seq)
	}
	result := row.Result
	result.Repeated = true
	return result, true, nil
}

// now is the time of the next record: it never goes back.
func (s *sequencer) now() events.Time {
	now := events.TimeOf(s.clock())
	if behind := now < s.last; behind != s.behind {
		s.behind = behind
		s.log.Warn("clock", "behind_the_log", behind, "clock", now, "log", s.last)
	}
	return max(now, s.last)
}

// wake sets a one-slot signal.
func wake(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}
