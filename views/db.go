package views

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/metalog/metalog/events"
)

// ErrSchema is wrapped by what [Open] returns for a file of another
// [SchemaVersion]. The file is whole; its views have to be rebuilt.
var ErrSchema = errors.New("another schema version")

// Options are how to open views. Path is required.
type Options struct {
	Path string // of the bbolt file; created when missing
	// ReadOnly opens a file that must be there, to read it only: it need not be
	// writable, and others may have it open in the same way. The writer is of no
	// use then.
	ReadOnly bool
	// Scratch opens a file that is made anew when anything happens to it: nothing
	// is synced. It is Fitted.
	Scratch bool
	// Fitted is for a file that is not written to any more once it is made: it does not
	// grow ahead of what is in it, and is not compacted.
	Fitted bool
	// MaxPendingBytes is the size of the pending rows, or of the pages of the file that
	// they change, from which [Tx.FreezeDue] tells to flush them; 64 MiB when zero. Of
	// pages it is a quarter when hardly two rows are in the same one.
	// Twice that may be in memory: rows that gather, and rows being flushed.
	MaxPendingBytes int64
	Logger          *slog.Logger // nil: no logs
}

const (
	defaultMaxPending = 64 << 20
	fileMode          = 0o600
	lockTimeout       = time.Second
)

// DB is the views of one log: a bbolt file, and the rows that are not in it yet.
//
// It has one writer ([Tx]), one goroutine that publishes, one that flushes, and
// any number that read; those may be one and the same. See the package's
// documentation for how they work together.
type DB struct {
	path       string
	bolt       *boltFile // replaced while flushing, under the lock of bases
	maxPending int64
	fitted     bool // see Options
	writer     *Tx

	// frozen is the layer that waits to be flushed or is being flushed. Seal sets
	// it when it is nil; Flush sets it to nil when bbolt has committed its rows.
	frozen atomic.Pointer[layer]

	publishing sync.Mutex            // held to change published; guards waiters
	published  atomic.Pointer[State] // never nil; what snapshots read
	waiters    chan struct{}         // closed by the next Publish; nil: nobody waits

	bases bases // that snapshots and the writer use again

	flushing    sync.Mutex // held while flushing; guards the writing of flushErr, and compactor
	compactor   compactor
	replaced    sync.WaitGroup // files that were, and are still open
	flushErr    error          // the first failure: nothing is flushed after it
	flushFailed chan struct{}  // closed once flushErr is set
	flushed     atomic.Pointer[Checkpoint]
	flushTime   atomic.Int64 // see FlushTime, ns

	closing   sync.RWMutex // guards closed, and snapshots.Add against Wait
	closed    bool
	snapshots sync.WaitGroup // open snapshots and copies
}

// boltFile is a file that is open, and its users: one that was replaced is closed after
// the last of them.
type boltFile struct {
	*bbolt.DB
	users sync.WaitGroup
}

// Open opens the views in a file, at the checkpoint of the last flush. A missing
// file is created, with checkpoint zero. It is ErrSchema for a file of another
// schema version, events.ErrCorrupt for a damaged one, events.ErrUnavailable for
// one that another process has open.
func Open(opts Options) (*DB, error) {
	if opts.Path == "" {
		return nil, events.Errorf(events.CodeInvalid, "views: no path was given; set Options.Path")
	}
	db := &DB{path: opts.Path, maxPending: opts.MaxPendingBytes, flushFailed: make(chan struct{})}
	if db.maxPending <= 0 {
		db.maxPending = defaultMaxPending
	}
	db.fitted = opts.Fitted || opts.Scratch
	db.compactor = compactor{off: opts.ReadOnly || db.fitted, log: opts.Logger, fill: runFill}
	if opts.Logger == nil {
		db.compactor.log = slog.New(slog.DiscardHandler)
	}
	at, err := db.openFile(opts)
	if err != nil {
		return nil, err
	}
	db.flushed.Store(&at)
	db.published.Store(&State{at: at, active: newRows(0)})
	db.writer = &Tx{db: db, Reader: Reader{at: at, live: true, active: newRows(0), kept: new(kept), changing: newFilePages(db.maxPending)}}
	return db, nil
}

// openFile opens and, when it is new, fills the bbolt file.
func (db *DB) openFile(opts Options) (at Checkpoint, err error) {
	_, statErr := os.Stat(db.path)
	if db.bolt, err = openBolt(opts); err != nil {
		return at, err
	}
	if errors.Is(statErr, os.ErrNotExist) && !opts.Scratch {
		err = syncDir(filepath.Dir(db.path))
	}
	if err == nil && !opts.ReadOnly { // nobody else can be making it
		err = removeIfThere(db.path + compactSuffix)
	}
	if err == nil {
		at, err = db.loadFile()
	}
	if err != nil {
		return at, errors.Join(err, db.bolt.Close())
	}
	return at, nil
}

// openBolt opens the file. Where damage makes bbolt panic, the file is closed
// here, so that its lock doesn't outlive the attempt.
func openBolt(o Options) (*boltFile, error) {
	var bolt *bbolt.DB
	var err error
	var file *os.File
	opts := boltOptions()
	opts.ReadOnly, opts.NoSync, opts.NoGrowSync = o.ReadOnly, o.Scratch, o.Scratch
	opts.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}
	if damage := guard(func() { bolt, err = bbolt.Open(o.Path, fileMode, opts) }); damage != nil {
		return nil, errors.Join(damage, unlock(file), file.Close())
	}
	if err != nil {
		return nil, boltError(o.Path, err)
	}
	bolt.AllocSize = smallAlloc // until the first flush
	if err := stillNamed(file, o.Path); err != nil {
		return nil, errors.Join(boltError(o.Path, err), bolt.Close())
	}
	return &boltFile{DB: bolt}, nil
}

// stillNamed is ErrTimeout for a file in whose place a compaction by another process has
// put one while its lock was waited for.
func stillNamed(file *os.File, path string) error {
	opened, err := file.Stat()
	if err != nil {
		return err
	}
	if named, err := os.Stat(path); err != nil || !os.SameFile(opened, named) {
		return errors.Join(err, berrors.ErrTimeout)
	}
	return nil
}

// Of allocSize.
const (
	smallAlloc = 64 << 10
	largeAlloc = 4 << 20
)

// allocSize is by how much a file of some size grows at least. bbolt's 16 MiB would be more
// than all of a small store.
func (db *DB) allocSize(size int64) int {
	if db.fitted {
		return smallAlloc
	}
	return int(min(max(size/16, smallAlloc), largeAlloc))
}

// boltOptions: without a large first mapping, a flush that makes the file grow
// would have to wait for all readers each time. The freelist is synced because a
// flush is rare and opening has to be fast. It is an array: the map takes pages
// from anywhere, finds no run of them for the list itself then, and makes the file
// grow with each flush, faster and faster. Four million records with command ids,
// flushed 2,500 at a time, made a file of 2.2 GB with 65 MB in it.
func boltOptions() *bbolt.Options {
	return &bbolt.Options{
		Timeout:         lockTimeout,
		FreelistType:    bbolt.FreelistArrayType,
		InitialMmapSize: initialMmapSize,
		NoStatistics:    true,
	}
}

// initialMmapSize is address space, not memory: 1 GiB where addresses have 64
// bits, 128 MiB elsewhere.
const initialMmapSize = 128 << 20 << (3 * (^uint(0) >> 63))

// Writer returns the one writer. It starts at the checkpoint that [Open] found.
func (db *DB) Writer() *Tx { return db.writer }

// Checkpoint returns what snapshots are made of now.
func (db *DB) Checkpoint() Checkpoint { return db.published.Load().at }

// Flushed returns the checkpoint of the file: where a crash would leave it.
func (db *DB) Flushed() Checkpoint { return *db.flushed.Load() }

// Close waits for open snapshots and copies, then closes the file. It flushes
// nothing: call [DB.FlushAll] before. The writer must be done, and Flush
// returned.
func (db *DB) Close() error {
	db.closing.Lock()
	already := db.closed
	db.closed = true
	db.closing.Unlock()
	if already {
		return nil
	}
	err := db.writer.Release()
	db.snapshots.Wait()
	err = errors.Join(err, db.bases.shut())
	db.replaced.Wait()
	if c := db.compactor.copying; c != nil {
		err = errors.Join(err, c.abandon())
	}
	return errors.Join(err, boltError(db.path, db.bolt.Close()))
}

// acquire keeps the file open until release.
func (db *DB) acquire() error {
	db.closing.RLock()
	defer db.closing.RUnlock()
	if db.closed {
		return events.Errorf(events.CodeUnavailable, "views %s: closed; open the store again", db.path)
	}
	db.snapshots.Add(1)
	return nil
}

func (db *DB) release() { db.snapshots.Done() }

// boltError gives a failure of the file a code and a way out; nil stays nil.
func boltError(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrTimeout):
		return events.Errorf(events.CodeUnavailable, "views %s: another process has the file open; stop it or use --server: %w", path, err)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return events.Errorf(events.CodeCorrupt, "views %s: the file is damaged: %w; rebuild the views", path, err)
	default:
		return events.Errorf(events.CodeUnavailable, "views %s: %w", path, err)
	}
}
