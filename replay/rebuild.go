package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/views"
)

// PartialSuffix ends the name of a file that a rebuild has not finished.
const PartialSuffix = ".partial"

// RebuildOptions say what to rebuild, and where. Out is required.
type RebuildOptions struct {
	To  Point  // the zero Point is the head as it is at the call
	Out string // the file; its directory must be there
	// Force replaces a file of views that is at Out, and an unfinished one that can't
	// be gone on with.
	Force bool
	// DataDir is a store's directory, in which Out must not lie. Empty: anywhere.
	DataDir string
	// Bases are states to begin with; without any, that is the log's first record.
	Bases Bases
	// Progress, if not nil, is called now and then by the goroutine that rebuilds.
	Progress func(RebuildProgress)
	Logger   *slog.Logger // nil: no logs
}

// RebuildProgress tells how far a rebuild is, in seqs.
type RebuildProgress struct {
	From, Seq, To uint64 // where this run began, has come to, and goes to
}

// RebuildReport tells what was rebuilt.
type RebuildReport struct {
	Path   string      `json:"path"`
	Seq    uint64      `json:"seq"` // the last record in the views
	Hash   events.Hash `json:"hash"`
	Time   events.Time `json:"time"` // of that record
	Digest events.Hash `json:"digest"`
	Events uint64      `json:"events"` // in all records up to Seq
	Rows   uint64      `json:"rows"`   // those of indexes left out

	SizeBytes    int64  `json:"size_bytes"`
	FromSnapshot uint64 `json:"from_snapshot"`          // its seq; 0: this run began with none
	ResumedFrom  uint64 `json:"resumed_from,omitempty"` // the seq that an interrupted run had come to

	Seconds         float64 `json:"seconds"`
	AppliedRecords  uint64  `json:"applied_records"` // by this run
	AppliedEvents   uint64  `json:"applied_events"`
	EventsPerSecond float64 `json:"events_per_second"`
}

// Rebuild makes a file of the views as they were at a point of the log, from the
// nearest base and the records after it. Memory is bounded whatever the log's length,
// and each digest that the log notes is checked on the way.
//
// The file appears when it is whole and durable. Until then it is built beside it,
// under its name with [PartialSuffix]. After an interruption, also when ctx is done,
// the same call goes on from there. One rebuild at a time may make a file.
//
// It is ErrAlreadyExists when there is a file at Out, ErrConflict when that may not be
// replaced, or the unfinished file is of another log or beyond the point, ErrOutOfRange for a
// point that the log does not have, or not any more, and ErrCorrupt for damage.
func Rebuild(ctx context.Context, log eventlog.Reader, opts RebuildOptions) (RebuildReport, error) {
	if opts.Out == "" {
		return RebuildReport{}, events.Errorf(events.CodeInvalid, "out: no file was given; name the one to make")
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	r := &rebuild{log: log, opts: opts, partial: opts.Out + PartialSuffix}
	r.report.Path = opts.Out
	if err := r.run(ctx); err != nil {
		return RebuildReport{}, events.Errorf(events.CodeOf(err), "rebuild %s: %w", opts.Out, err)
	}
	return r.report, nil
}

// rebuild is one run of Rebuild.
type rebuild struct {
	log     eventlog.Reader
	opts    RebuildOptions
	partial string // the file that is built
	to      uint64
	report  RebuildReport
}

func (r *rebuild) run(ctx context.Context) (err error) {
	began := time.Now()
	if err := r.mayWrite(); err != nil {
		return err
	}
	if r.to, err = Resolve(ctx, r.log, r.opts.To); err != nil {
		return err
	}
	if r.to == 0 {
		return events.Errorf(events.CodeOutOfRange, "the log is empty")
	}
	db, err := r.begin(ctx)
	if err != nil {
		return err
	}
	before := db.Checkpoint()
	if err := errors.Join(r.apply(ctx, db), db.Close()); err != nil {
		return err
	}
	// Each flush has synced the file; its name is left to do.
	if err := durable.Rename(r.partial, r.opts.Out); err != nil {
		return events.Errorf(events.CodeUnavailable, "%w", err)
	}
	return r.tell(db.Checkpoint(), before, time.Since(began))
}

// begin opens the file to build on.
func (r *rebuild) begin(ctx context.Context) (*views.DB, error) {
	at, err := r.left(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.takeBase(ctx, at); err != nil {
		return nil, err
	}
	return views.Open(views.Options{Path: r.partial, Fitted: true})
}

// apply brings views to the point and to disk.
func (r *rebuild) apply(ctx context.Context, db *views.DB) error {
	from := db.Checkpoint().Seq
	err := projector.CatchUpTo(ctx, db, r.log, r.to, func(seq uint64) {
		if r.opts.Progress != nil {
			r.opts.Progress(RebuildProgress{From: from, Seq: seq, To: r.to})
		}
	})
	if err == nil { // what is applied is kept, also when ctx is done by now
		err = db.FlushAll(context.WithoutCancel(ctx))
	}
	if stop := ctx.Err(); err != nil && stop != nil && errors.Is(err, stop) {
		return r.interrupted(db.Flushed().Seq, stop, err)
	}
	return err
}

// interrupted is the error of a run that was stopped. That it was is all that stop tells;
// err can tell more, of what went wrong then.
func (r *rebuild) interrupted(at uint64, stop, err error) error {
	why := ""
	if err.Error() != stop.Error() {
		why = ": " + err.Error()
	}
	return &events.Error{
		Code: events.CodeUnavailable, Err: stop,
		Message: fmt.Sprintf("interrupted at seq %d of %d%s; the same command goes on from there", at, r.to, why),
	}
}

// tell fills in the report.
func (r *rebuild) tell(at, before views.Checkpoint, took time.Duration) error {
	info, err := os.Stat(r.opts.Out)
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "%w", err)
	}
	p := &r.report
	p.Seq, p.Hash, p.Time, p.Digest, p.Events = at.Seq, at.Hash, at.Time, at.Digest, at.Events
	for _, rows := range at.Counts {
		p.Rows += rows
	}
	p.SizeBytes = info.Size()
	p.AppliedRecords, p.AppliedEvents = at.Seq-before.Seq, at.Events-before.Events
	p.Seconds = took.Seconds()
	p.EventsPerSecond = float64(p.AppliedEvents) / p.Seconds
	return nil
}

// SetAside renames a views file that can't be used, so that a new one can be
// made in its place. The last one set aside is kept, for whoever wants to know
// what was wrong with it.
func SetAside(path string) error {
	if err := os.Rename(path, path+".unusable"); err != nil {
		return events.Errorf(events.CodeUnavailable, "views %s: %w", path, err)
	}
	return nil
}
