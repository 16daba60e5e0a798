package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/pages"
)

// ErrDamaged is wrapped by what reads return when the file is not what the log
// makes it. [Index.Remake] is the way out.
var ErrDamaged = errors.New("the index of history is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// openChecked opens a bbolt file, and looks at its pages before bbolt does, if nobody else
// has it open. That what stands in them makes sense is looked at later, see whole.
func openChecked(name string, flag int, mode os.FileMode) (*os.File, error) {
	file, err := os.OpenFile(name, flag, mode)
	if err != nil {
		return nil, err
	}
	// bbolt locks the same open file again, which changes nothing.
	if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		err = ofIndex(pages.Check(context.Background(), file, pages.Rows))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// guard is pages.Guard with the index's own error.
func guard(f func() error) error { return ofIndex(pages.Guard(f)) }

// ofIndex makes ErrDamaged of the error that says it of pages.
func ofIndex(err error) error {
	if errors.Is(err, pages.ErrDamaged) {
		return damaged("%v", err)
	}
	return err
}

// Options are how to open an index. Path and Log are required.
type Options struct {
	Path         string
	Log          eventlog.Reader
	LogID        uuid.UUID    // an index of another log is set aside
	Logger       *slog.Logger // of what was set aside; nil: no logs
	BatchRecords int          // at most, of a transaction of indexing; 0: 262,144
}

// Index is the index of one log. All methods are safe for concurrent use.
type Index struct {
	opts Options

	indexing sync.Mutex // held to change the file
	sum      *summing   // of the segment that indexing is in, or nil; guarded by indexing

	file       sync.RWMutex // held to read the file; exclusively to replace it
	bolt       *bbolt.DB    // guarded by file; nil once closed
	generation atomic.Uint64
	at         atomic.Pointer[state]

	wholeMu      sync.Mutex
	wholeBuckets map[string]bool // buckets that were found to be whole; guarded by wholeMu
}

// Unusable is what the name of a file ends with that was set aside.
const Unusable = ".unusable"

// Open opens the index in a file. A file that is missing, damaged or not of this
// log is no error: it is set aside and an empty index takes its place, which
// CatchUp fills. When the log can't be read to tell, that is the error, and the file
// stays.
func Open(ctx context.Context, opts Options) (*Index, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.BatchRecords == 0 {
		opts.BatchRecords = batchRecords
	}
	x := &Index{opts: opts}
	why := x.openFile()
	if errors.Is(why, errBusy) {
		return nil, why
	}
	if why == nil {
		var err error
		if why, err = x.check(ctx); why == nil && err == nil {
			return x, nil
		}
		closing := x.closeFile()
		if err != nil {
			return nil, fmt.Errorf("index of history %s: it can't be compared with the log: %w", opts.Path, errors.Join(err, closing))
		}
		why = errors.Join(why, closing)
	}
	if err := x.replace(why); err != nil {
		return nil, err
	}
	return x, nil
}

var errBusy = errors.New("the index of history is open in another process")

const (
	fileMode    = 0o600
	lockTimeout = time.Second
	// firstMapping is address space, so that the file seldom has to be mapped anew,
	// which waits for reads.
	firstMapping = 64 << 20 << (3 * (^uint(0) >> 63))
)

// openFile opens the file, makes it if it is not there, and reads its state.
func (x *Index) openFile() error {
	return guard(func() error {
		bolt, err := bbolt.Open(x.opts.Path, fileMode, &bbolt.Options{
			Timeout: lockTimeout, FreelistType: bbolt.FreelistArrayType, InitialMmapSize: firstMapping, NoStatistics: true,
			OpenFile: openChecked,
		})
		if errors.Is(err, berrors.ErrTimeout) {
			return errBusy
		}
		if err != nil {
			return err
		}
		x.bolt = bolt
		x.wholeMu.Lock()
		x.wholeBuckets = map[string]bool{}
		x.wholeMu.Unlock()
		if err := x.load(); err != nil {
			return errors.Join(err, x.closeFile())
		}
		return nil
	})
}

// load reads the state of a file, and prepares a new one.
func (x *Index) load() error {
	if err := x.whole(); err != nil {
		return err
	}
	at := state{}
	err := x.bolt.Update(func(tx *bbolt.Tx) error {
		if tx.Bucket(bucketMeta) != nil {
			found, err := getValue(tx, bucketMeta, keyState, &at)
			if err == nil && !found {
				err = damaged("it does not say of which log it is")
			}
			return err
		}
		first := x.opts.Log.First()
		at = state{Version: version, LogID: x.opts.LogID, First: first, At: events.Head{Seq: first - 1}}
		for _, b := range buckets {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		return putValue(tx, bucketMeta, keyState, at)
	})
	x.at.Store(&at)
	return err
}

// whole finds a file that must not be written to: its pages, which openChecked has
// followed, don't hang together. bbolt gives pages away while it still reads them when two
// places refer to one, which ends the program.
func (x *Index) whole() error {
	return x.bolt.View(func(tx *bbolt.Tx) error {
		info, err := os.Stat(x.opts.Path)
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return damaged("it has %d bytes of %d", info.Size(), tx.Size())
		}
		for found := range tx.Check(bbolt.WithKVStringer(noText{})) {
			if err == nil {
				err = damaged("%v", found)
			}
		}
		return err
	})
}

// noText keeps a check from reading keys and values whose lengths may be damaged: it
// runs in a goroutine of bbolt's, where a fault ends the program.
type noText struct{}

func (noText) KeyToString([]byte) string   { return "…" }
func (noText) ValueToString([]byte) string { return "…" }

// check compares what the file says it was made of with the log. It returns why the
// two don't fit, or the error for which that can't be told.
func (x *Index) check(ctx context.Context) (why, err error) {
	at, log := x.at.Load(), x.opts.Log
	head := log.Head()
	switch {
	case at.Version != version:
		return fmt.Errorf("it has version %d, not %d", at.Version, version), nil
	case at.LogID != x.opts.LogID:
		return fmt.Errorf("it is of log %s", at.LogID), nil
	case at.At.Seq > head.Seq:
		return fmt.Errorf("it is at seq %d, the log ends at %d", at.At.Seq, head.Seq), nil
	}
	lacks, err := x.lacksEarlier(ctx)
	if err != nil {
		return nil, err
	}
	first := log.First()
	switch {
	case at.At.Seq+1 < first || lacks:
		return fmt.Errorf("it has seq %d to %d, the log begins at %d", at.First, at.At.Seq, first), nil
	case at.At.Seq < first || at.At.Seq < at.First:
		return nil, nil // no record to compare
	}
	frame, err := log.FrameAt(ctx, at.At.Seq, at.Offset)
	switch {
	case err != nil && events.CodeOf(err) == events.CodeUnavailable:
		return nil, err
	case err == nil && frame.Hash != at.At.Hash:
		err = errors.New("the hashes differ")
	}
	if err != nil {
		return fmt.Errorf("it has another seq %d than the log: %w", at.At.Seq, err), nil
	}
	return nil, nil
}

// lacksEarlier reports whether the log has records from before the index. That an
// archive may have some, which was not reached yet, is certain only once they are
// read; while they can't be, the index is as good as a new one.
func (x *Index) lacksEarlier(ctx context.Context) (bool, error) {
	first := x.at.Load().First
	if first <= x.opts.Log.First() {
		return false, nil
	}
	for _, err := range x.opts.Log.Frames(ctx, first-1) {
		return err == nil, ctx.Err()
	}
	return false, nil
}

// replace sets the file aside, which why tells of, and opens an empty one.
func (x *Index) replace(why error) error {
	x.opts.Logger.Warn("index of history: set aside, and made anew from the log", "file", x.opts.Path, "why", why)
	err := os.Rename(x.opts.Path, x.opts.Path+Unusable)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return x.unavailable(err)
	}
	if err := x.openFile(); err != nil {
		return x.unavailable(err)
	}
	return nil
}

func (x *Index) unavailable(err error) error {
	return events.Errorf(events.CodeUnavailable, "index of history %s: %w; make room for it, or remove the file", x.opts.Path, err)
}

// Remake empties an index in which a read found damage, unless that was done since:
// generation is the one that the read saw.
func (x *Index) Remake(generation uint64, why error) error {
	x.indexing.Lock()
	defer x.indexing.Unlock()
	x.file.Lock()
	defer x.file.Unlock()
	if x.generation.Load() != generation || x.bolt == nil {
		return nil
	}
	x.generation.Add(1)
	x.sum = nil
	_ = x.closeFile() // it is damaged: what else is wrong with it does not matter
	return x.replace(why)
}

// Generation counts how often the index was made anew. Reads of one generation
// know nothing of the next.
func (x *Index) Generation() uint64 { return x.generation.Load() }

// First returns the first seq that the index knows of.
func (x *Index) First() uint64 { return x.at.Load().First }

// Seq returns the last seq that is indexed.
func (x *Index) Seq() uint64 { return x.at.Load().At.Seq }

func (x *Index) closeFile() (err error) {
	if x.bolt != nil {
		err = x.bolt.Close()
		x.bolt = nil
	}
	return err
}

// Close ends the use of the index, when reads and indexing have ended.
func (x *Index) Close() error {
	x.indexing.Lock()
	defer x.indexing.Unlock()
	x.file.Lock()
	defer x.file.Unlock()
	return x.closeFile()
}

// view reads the file, of the generation that the caller began with.
func (x *Index) view(generation uint64, read func(*bbolt.Tx) error) error {
	x.file.RLock()
	defer x.file.RUnlock()
	switch {
	case x.bolt == nil:
		return events.Errorf(events.CodeUnavailable, "the index of history is closed; open the store again")
	case x.generation.Load() != generation:
		return damaged("it is being made anew")
	}
	return guard(func() error { return x.bolt.View(read) })
}
