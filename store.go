package metalog

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

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

// Options are how to open a [Store]. Path is required; the rest has defaults.
type Options struct {
	// Path is the data directory. It is created if it is not there, unless
	// MustExist is set.
	Path      string
	MustExist bool
	// Holder tells others who try to open the directory who has it.
	Holder string
	Logger *slog.Logger // nil: no logs

	// CommandWindow is for how many records a command id is remembered. It
	// counts when the log is created, and stands in it. 0: 262,144.
	CommandWindow uint64
	// DigestEvery is after how many records the digest of the views is logged.
	// 0: 10,000.
	DigestEvery uint64
	// MaxPendingBytes is how much of the views may wait in memory to be flushed;
	// twice that for moments. 0: 64 MiB.
	MaxPendingBytes int64
	// FlushInterval is after what time they are flushed at the latest. 0: 1 s.
	FlushInterval time.Duration
	// SegmentSize of the log, in bytes. 0: 8 MiB.
	SegmentSize int
	// SnapshotEvery is after how many records a snapshot is taken. 0: 250,000;
	// negative: never.
	SnapshotEvery int64
	// SnapshotEvents is after how many events one is taken when the records are fewer.
	// 0: 500,000; negative: however many.
	SnapshotEvents int64
	// SnapshotBytes is what snapshots may take together; the two newest stay
	// whatever they take. 0: 2 GiB.
	SnapshotBytes int64
	// AsOfBytes is what views of earlier states, which [Store.At] makes, may take
	// together on disk to be there for the next who asks. 0: 1 GiB; negative: none
	// is kept.
	AsOfBytes int64
	// MinFreeBytes of disk are kept in reserve: writes are refused before. 0: 64
	// MiB; negative: none.
	MinFreeBytes int64
	// OffsetsRetention is for how long a group without members keeps an offset
	// that is not committed again, as Kafka's offsets.retention.minutes. 0: 7
	// days; negative: for ever.
	OffsetsRetention time.Duration
	// SweepInterval is how often transactions are looked through for what has
	// timed out. 0: 10 s; negative: never, and no offsets either.
	SweepInterval time.Duration
	// OffsetsCheckInterval is the same for offsets, as Kafka's
	// offsets.retention.check.interval.ms. 0: 10 minutes.
	OffsetsCheckInterval time.Duration

	// IndexHistory keeps the index of history current in the background, for
	// [Store.History] and the like. Else each of those first indexes what is new.
	IndexHistory bool

	// ArchiveTo is where the log's archive is, if that is not where the log says:
	// a directory, or s3://BUCKET/PREFIX?endpoint=URL&region=NAME. See [Store.Archive].
	ArchiveTo string
	// ArchivePolicy says what is moved to the archive by itself. The zero policy:
	// nothing is.
	ArchivePolicy ArchivePolicy
	// ArchiveInterval is how often that is looked at, and after each snapshot. 0: 10
	// minutes.
	ArchiveInterval time.Duration
	// Needed, if not nil, returns the first seq that somebody outside the store still
	// has to read from the log, such as the publisher: it is not moved to the archive,
	// and neither is what follows it.
	Needed func() uint64

	// Throttle, if not nil, is called before each command of [HighRateOps] is
	// taken, and may hold it up: as when whoever follows the log is too far
	// behind. Its error is the command's, which is then not done; it has to return
	// when ctx is done. It is called from many goroutines.
	Throttle func(ctx context.Context) error

	// For tests; nil: time.Now, uuid.NewV7, the log in the directory.
	Clock func() time.Time
	NewID func() uuid.UUID
	wrap  func(eventlog.Log) eventlog.Log
}

const queueLength = 4096

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Holder == "" {
		o.Holder = "another program"
	}
	defaultTo(&o.CommandWindow, 262_144)
	defaultTo(&o.DigestEvery, 10_000)
	defaultTo(&o.FlushInterval, time.Second)
	defaultTo(&o.SnapshotEvery, replay.DefaultEvery)
	defaultTo(&o.SnapshotEvents, replay.DefaultEveryEvents)
	if o.SnapshotEvents < 0 {
		o.SnapshotEvents = math.MaxInt64
	}
	defaultTo(&o.OffsetsRetention, 7*24*time.Hour)
	defaultTo(&o.SweepInterval, 10*time.Second)
	defaultTo(&o.OffsetsCheckInterval, 10*time.Minute)
	defaultTo(&o.ArchiveInterval, 10*time.Minute)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.NewID == nil {
		o.NewID = func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	}
	return o
}

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

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

// Execute implements [Executor].
func (s *Store) Execute(ctx context.Context, cmd Command, opts CommandOptions) (Result, error) {
	req, err := newRequest(cmd, opts)
	if err != nil {
		return Result{}, err
	}
	if err := s.throttle(ctx, cmd); err != nil {
		return Result{}, err
	}
	if err := s.enqueue(ctx, req); err != nil {
		return Result{}, err
	}
	select {
	case <-req.done:
		return req.result, req.err
	case <-ctx.Done():
		return req.giveUp(ctx)
	}
}

func newRequest(cmd Command, opts CommandOptions) (*request, error) {
	if err := Validate(cmd, opts); err != nil {
		return nil, err
	}
	req := &request{cmd: cmd, opts: opts, done: make(chan struct{})}
	if opts.ID == "" {
		return req, nil
	}
	var err error
	req.hash, err = commandHash(cmd)
	return req, err
}

// enqueue waits for a place in the queue: that is what slows writers down when
// they are faster than the log.
func (s *Store) enqueue(ctx context.Context, req *request) error {
	s.sending.RLock()
	defer s.sending.RUnlock()
	if s.closed {
		return events.Errorf(events.CodeUnavailable, "the store is closed")
	}
	if err := s.failed(); err != nil {
		return err
	}
	select {
	case s.queue <- req:
		return nil
	case <-ctx.Done():
		return events.Errorf(events.CodeUnavailable, "%s was not done: %w", req.cmd.Op(), ctx.Err())
	}
}

// giveUp ends the wait for an answer. When the command is not decided yet it
// never will be; else its outcome is in doubt, and the error says so.
func (r *request) giveUp(ctx context.Context) (Result, error) {
	if r.taken.CompareAndSwap(false, true) {
		return Result{}, events.Errorf(events.CodeUnavailable, "%s was not done: %w", r.cmd.Op(), ctx.Err())
	}
	select {
	case <-r.done:
		return r.result, r.err
	default:
		return Result{}, events.Errorf(events.CodeOutcomeUnknown, "%s may or may not be done: %w; read, or repeat it with the same command id", r.cmd.Op(), ctx.Err())
	}
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
