package publisher

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/logread"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// FollowOptions configure a replica. Cluster is required.
type FollowOptions struct {
	Cluster string
	// LogID of the log to follow: another one is ErrConflict. Default: the one
	// that the directory has rows of, or else the server's.
	LogID uuid.UUID
	// Holder tells others who try to open the directory who has it.
	Holder string
	// MaxPendingBytes is how much may wait in memory to be flushed; twice that for
	// moments. 0: 64 MiB.
	MaxPendingBytes int64
	// FlushInterval is after what time rows are flushed at the latest, give or
	// take as much. 0: 1 s.
	FlushInterval time.Duration
	// PollWait is for how long a request may wait for the next record before it
	// is made again. 0: 10 s.
	PollWait time.Duration
	// Progress is told how far the replica has come: while Follow fetches a
	// snapshot, and after each group of records. nil: nobody asks.
	Progress func(Progress)
	Logger   *slog.Logger // default slog.Default
}

// Progress tells how far a replica has come.
type Progress struct {
	Snapshot replay.Snapshot // that is being fetched; the zero value: none, records are applied
	Bytes    int64           // of the snapshot that have come
	Seq      uint64          // that the views are at
	Head     uint64          // of the server's log
}

func (o FollowOptions) withDefaults() (FollowOptions, error) {
	o.Holder = cmp.Or(o.Holder, "a replica")
	o.FlushInterval = cmp.Or(o.FlushInterval, time.Second)
	o.PollWait = cmp.Or(o.PollWait, 10*time.Second)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return o, checkCluster(o.Cluster)
}

// Replica is views in a directory that follow a server's log. All methods are
// safe for concurrent use.
type Replica struct {
	dir     string
	js      jetstream.JetStream
	options FollowOptions
	log     *slog.Logger
	lock    *eventlog.DirLock
	db      *views.DB

	flush      chan struct{}  // one slot: there are rows to flush
	work       sync.WaitGroup // follower and flusher: until stop
	stop       context.CancelCauseFunc
	ended      context.Context // done when following has ended, its cause says why
	end        context.CancelCauseFunc
	closing    sync.Once
	closeError error // of the first Close

	mu     sync.Mutex
	server logread.State // guarded by mu: as it was last heard of
	behind time.Time     // guarded by mu: since when the views may lack records; zero: they lack none
}

// errClosed is why following ends when the owner ends it.
var errClosed = errors.New("the replica is closed")

// viewsFile has another name than in a store's directory, so that neither is
// taken for the other.
const viewsFile = "replica.db"

// Follow keeps a copy of the views of a cluster's server in dir, which it makes
// when need be and locks. It returns when there are views to read: those that
// dir has, or a snapshot that it fetched from the server, or, when none is
// offered, none yet. From then on a goroutine applies the server's records, each
// checked to follow the one before, until Close. While the server can't be
// reached it goes on trying, and reads go on.
//
// Where it was is kept with the rows, so a replica that was killed goes on
// there. Views that can't be read, or that the server's log does not reach back
// to any more, are made anew from a snapshot. Anything else that does not fit
// ends it, at the start or later (see [Replica.Done]), and changes nothing in dir:
//   - ErrUnavailable: dir is held by another process; or there are no views yet
//     and no server answers;
//   - ErrConflict: the server has another log;
//   - *[ForkError], which is ErrCorrupt: the server's log does not have the
//     record that the views are at;
//   - *projector.DigestError, which is ErrCorrupt: the views are not what the log
//     noted of them;
//   - ErrCorrupt: what the server sent is damaged;
//   - ErrOutOfRange: the log does not reach back to the views any more. Following
//     again begins with a snapshot, if one is offered.
func Follow(ctx context.Context, dir string, js jetstream.JetStream, options FollowOptions) (*Replica, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Replica{
		dir: dir, js: js, options: options,
		log:    options.Logger.With("component", "replica", "cluster", options.Cluster),
		flush:  make(chan struct{}, 1),
		behind: time.Now(),
	}
	if _, err := os.Stat(filepath.Join(dir, replay.LogDir)); err == nil {
		return nil, events.Errorf(events.CodeInvalid, "replica %s: the directory holds a log, it is a store's; name another one", dir)
	}
	if r.lock, err = eventlog.Lock(dir, options.Holder); err != nil {
		return nil, err
	}
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(err, r.closeData())
	}
	r.start()
	return r, nil
}

// HoldsReplica tells whether a replica in dir would have views to read at once.
func HoldsReplica(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, viewsFile))
	return err == nil
}

// Path returns the file of the views.
func (r *Replica) Path() string { return filepath.Join(r.dir, viewsFile) }

// start begins to follow.
func (r *Replica) start() {
	var following context.Context
	following, r.stop = context.WithCancelCause(context.Background())
	r.ended, r.end = context.WithCancelCause(context.Background())
	r.work.Go(func() { r.end(r.follow(following)) })
	r.work.Go(func() { r.flushRows(following) })
}

// Views returns the views. They are the replica's, and closed with it.
func (r *Replica) Views() *views.DB { return r.db }

// SetHolder changes what others are told who try to open the directory.
func (r *Replica) SetHolder(holder string) error { return r.lock.SetHolder(holder) }

// Wait returns nil once reads see a seq. It ends with the error that the replica
// stopped with, and with ErrUnavailable when ctx is done or the replica closed.
func (r *Replica) Wait(ctx context.Context, seq uint64) error {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.ended, cancel)()
	err := r.db.WaitPublished(waiting, seq)
	switch {
	case err == nil:
		return nil
	case r.ended.Err() == nil:
		return events.Errorf(events.CodeUnavailable, "the replica did not reach seq %d, it is at %d: %w", seq, r.db.Checkpoint().Seq, ctx.Err())
	case r.Err() != nil:
		return r.Err()
	}
	return events.Errorf(events.CodeUnavailable, "the replica did not reach seq %d: %w", seq, errClosed)
}

// Done returns a channel that is closed when following has ended: for good, for
// the reason that Err tells, or because of Close. Reads go on until Close.
func (r *Replica) Done() <-chan struct{} { return r.ended.Done() }

// Err returns why following ended for good, as [Follow] lists it; nil as long as
// it has not, and after a Close that ended it.
func (r *Replica) Err() error {
	if cause := context.Cause(r.ended); !errors.Is(cause, errClosed) {
		return cause
	}
	return nil
}

// Head returns the head of the server's log as it was last heard of, zero before
// that.
func (r *Replica) Head() events.Head {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.server.Head
}

// Lag tells how far the views are behind the server's log, as it was last heard
// of. Its age is for how long they may have been behind: while the server can't
// be reached it grows, though nothing is known to be missing.
func (r *Replica) Lag() Lag {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lag Lag
	if seq := r.db.Checkpoint().Seq; r.server.Head.Seq > seq {
		lag.Records = r.server.Head.Seq - seq
	}
	if !r.behind.IsZero() {
		lag.Age = time.Since(r.behind)
	}
	return lag
}

// heard notes what the server told of its log. current tells that the views
// have all of it, and that the server will tell of more.
func (r *Replica) heard(server logread.State, current bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server = server
	switch {
	case current:
		r.behind = time.Time{}
	case r.behind.IsZero():
		r.behind = time.Now()
	}
}

// lost notes that the server's log may go on unheard.
func (r *Replica) lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.behind.IsZero() {
		r.behind = time.Now()
	}
}

// Close ends following, brings the views to disk and gives the directory back.
// Snapshots of the views must be closed by then, or it waits for them.
func (r *Replica) Close() error {
	r.closing.Do(func() {
		r.stop(errClosed)
		r.work.Wait()
		r.closeError = errors.Join(r.db.FlushAll(context.Background()), r.closeData())
	})
	return r.closeError
}

// closeData closes what open opened, as far as it came.
func (r *Replica) closeData() error {
	var err error
	if r.db != nil {
		err = r.db.Close()
	}
	return errors.Join(err, r.lock.Unlock())
}

// removeTemp removes what a fetch that was broken off left behind.
func (r *Replica) removeTemp() error { return durable.Remove(r.Path() + durable.TempSuffix) }
