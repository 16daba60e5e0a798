package metalog

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/archive"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// SystemActor is the actor of what the store does by itself: expiry, digests,
// the rest of large cascades.
const SystemActor = "metalog"

// Store is the metadata store in process. It owns its data directory; one
// process at a time may have it open. All methods are safe for concurrent use.
type Store struct {
	Commands
	queries

	opts Options
	lock *eventlog.DirLock
	log  eventlog.Log
	file *eventlog.File // what log writes to
	// archive has the records that are not in the log any more.
	archive   *archive.Opener
	archiving sync.Mutex // held to write to the archive
	// front is held for reading by those who read the log's files themselves, and for
	// writing to remove some.
	front sync.RWMutex
	// history is what reads of records go to: log and archive as one.
	history Log
	db      *views.DB

	asOf         *replay.AsOf // views of earlier states
	snapshots    replay.Snapshots
	snapshotting sync.Mutex // held to create and remove snapshots
	rebuilding   sync.Mutex // held by Rebuild, for its memory
	// snapshotsChanged is closed, and another one put in its place, when they have
	// changed; never nil.
	snapshotsChanged atomic.Pointer[chan struct{}]

	index   historyIndex // of history; opened when it is first asked for
	undoing sync.Mutex   // held to undo

	queue     chan *request
	flush     chan struct{} // one slot: there are rows to flush
	continues chan struct{} // one slot: there may be cascades to go on with
	failure   atomic.Pointer[error]

	sending sync.RWMutex // guards closed, and that nobody sends on a closed queue
	closed  bool

	pipeline   sync.WaitGroup     // sequencer and log writer: until queue is closed
	background sync.WaitGroup     // flusher, cascades, sweeps, snapshots: until stop
	stop       context.CancelFunc // of background
}

var _ MetadataStore = (*Store)(nil)

// Open opens a store, and brings its views up to the end of its log. That takes
// about a second's worth of records, unless the views have to be rebuilt.
//
// It is ErrUnavailable when another process has the directory, and ErrCorrupt
// when what was durable is damaged or missing: nothing is changed then.
func Open(ctx context.Context, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	lock, err := lockDir(opts)
	if err != nil {
		return nil, err
	}
	s := &Store{
		opts: opts, lock: lock,
		queue:     make(chan *request, queueLength),
		flush:     make(chan struct{}, 1),
		continues: make(chan struct{}, 1),
	}
	changed := make(chan struct{})
	s.snapshotsChanged.Store(&changed)
	s.Commands = Commands{s}
	s.queries = queries{acquire: s.snapshot, info: s.infoOf}
	if err := s.openData(ctx); err != nil {
		return nil, errors.Join(err, s.closeData())
	}
	s.start()
	if s.log.Head().Seq == 0 {
		if err := s.create(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func lockDir(opts Options) (*eventlog.DirLock, error) {
	if opts.Path == "" {
		return nil, events.Errorf(events.CodeInvalid, "open: no data directory was given; set Options.Path")
	}
	if opts.MustExist && !holdsStore(opts.Path) {
		return nil, events.Errorf(events.CodeNotFound, "open %s: there is no store here; name its directory, or create one with 'metalog init'", opts.Path)
	}
	if err := replay.Unfinished(opts.Path); err != nil {
		return nil, err
	}
	return eventlog.Lock(opts.Path, opts.Holder)
}

// holdsStore reports whether there is a log in a directory, or views, which had
// one.
func holdsStore(path string) bool {
	_, logErr := os.Stat(filepath.Join(path, logDir))
	_, viewsErr := os.Stat(filepath.Join(path, viewsFile))
	return !errors.Is(logErr, fs.ErrNotExist) || !errors.Is(viewsErr, fs.ErrNotExist)
}

// What a data directory holds besides snapshots.
const (
	logDir    = replay.LogDir
	viewsFile = replay.ViewsFile
)

func (s *Store) openData(ctx context.Context) (err error) {
	s.snapshots = replay.Snapshots{Dir: filepath.Join(s.opts.Path, replay.SnapshotsDir), Clock: s.opts.Clock}
	witness, err := s.openViews(ctx)
	if err != nil {
		return err
	}
	file, err := eventlog.Open(filepath.Join(s.opts.Path, logDir), eventlog.Options{
		Logger:       s.opts.Logger,
		SegmentSize:  s.opts.SegmentSize,
		Witness:      witness,
		MinFreeBytes: s.opts.MinFreeBytes,
	})
	if err != nil {
		return err
	}
	s.file = file
	if s.log = file; s.opts.wrap != nil {
		s.log = s.opts.wrap(file)
	}
	s.joinArchive(ctx)
	if err := s.openAsOf(); err != nil {
		return err
	}
	if s.db == nil {
		if err := s.recoverViews(ctx); err != nil {
			return err
		}
	}
	if err := projector.CatchUp(ctx, s.db, s.history, nil); err != nil {
		return err
	}
	return s.checkArchive(ctx)
}

// create gives a new log its first record.
func (s *Store) create(ctx context.Context) error {
	_, err := s.Execute(ctx, startEpoch{LogID: s.opts.NewID(), Window: s.opts.CommandWindow}, CommandOptions{Actor: SystemActor})
	return err
}

// start begins the pipeline of writes and the work in the background.
func (s *Store) start() {
	groups, idle := make(chan *group), make(chan *group, 1)
	head := s.log.Head()
	newGroup := func() *group { return &group{frames: eventlog.NewGroup(head)} }
	idle <- newGroup()
	seq := &sequencer{
		queue: s.queue, idle: idle, out: groups, tx: s.db.Writer(), db: s.db,
		clock: s.opts.Clock, newID: s.opts.NewID, digestEvery: s.opts.DigestEvery, flushEvery: s.opts.FlushInterval,
		room: s.log.Room, fail: s.fail, failed: s.failed, log: s.opts.Logger,
		open: newGroup(), head: head, last: s.db.Checkpoint().Time,
	}
	writer := &logWriter{in: groups, idle: idle, log: s.log, db: s.db, fail: s.fail, failed: s.failed, flush: s.flush, continues: s.continues}
	s.pipeline.Go(seq.run)
	s.pipeline.Go(writer.run)

	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.background.Go(func() { s.flushRows(ctx) })
	s.background.Go(func() { s.continueCascades(ctx) })
	s.background.Go(func() { s.sweep(ctx) })
	s.background.Go(func() { s.takeSnapshots(ctx) })
	if s.opts.IndexHistory {
		s.background.Go(func() { s.followHistory(ctx) })
	}
	s.background.Go(func() { s.keepArchiving(ctx) })
}

// fail stops the store: what is under way is answered with an error, later
// writes are refused, reads go on. Opening it again repairs.
func (s *Store) fail(cause error) {
	err := error(events.Errorf(events.CodeUnavailable, "the store stopped writing (%w); open it again to repair it", cause))
	if s.failure.CompareAndSwap(nil, &err) {
		s.opts.Logger.Error("store stopped", "err", cause)
	}
}

// failed returns why the store stopped, or nil.
func (s *Store) failed() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Close does what was asked for before, brings the views to disk and gives the
// directory back. Open views must be closed by then, or it waits for them; those of
// earlier states it does not wait for.
func (s *Store) Close() error {
	s.sending.Lock()
	if s.closed {
		s.sending.Unlock()
		return nil
	}
	s.closed = true
	close(s.queue)
	s.sending.Unlock()

	s.pipeline.Wait()
	s.stop()
	s.background.Wait()
	var err error
	if s.failed() == nil {
		err = s.db.FlushAll(context.Background())
	}
	return errors.Join(err, s.closeData())
}

// closeData closes what openData opened, as far as it came.
func (s *Store) closeData() error {
	errs := []error{s.index.close()}
	if s.asOf != nil {
		errs = append(errs, s.asOf.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(append(errs, s.lock.Unlock())...)
}

// SetHolder changes what others are told who try to open the directory.
func (s *Store) SetHolder(holder string) error { return s.lock.SetHolder(holder) }

// Log is the store's records, for those who follow them: those in the archive,
// too. Wait returns once the log has a seq.
type Log interface {
	eventlog.Reader
	Wait(ctx context.Context, seq uint64) error
}

// Log returns the store's log. It may be used until Close.
func (s *Store) Log() Log { return s.history }

// Events implements [EventReader].
func (s *Store) Events(ctx context.Context, query EventQuery) iter.Seq2[events.EventView, error] {
	return replay.Events(ctx, s.history, query)
}
