package replay

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/views"
)

// AsOfOptions are how to open an [AsOf]. Dir and Log are required.
type AsOfOptions struct {
	Dir   string // its own; made when it is needed
	Log   eventlog.Reader
	Bases Bases // what views are begun with, besides those that are kept
	// MaxBytes is what all files may take together, besides those that are in use
	// or being made. 0: 1 GiB; negative: files go as soon as they are not in use.
	MaxBytes int64
	// Room, if not nil, returns an error when so many bytes more would take from
	// the disk what is kept in reserve.
	Room   func(bytes int64) error
	Logger *slog.Logger // nil: no logs
}

const (
	defaultAsOfBytes = 1 << 30
	// asOfFiles bounds how many files are kept, for opening has to look at each.
	asOfFiles = 256
	// asOfOpen bounds how many of them are open without being in use.
	asOfOpen = 32
	// asOfBuilds is how many are made at a time; others wait. With asOfPending that
	// bounds the memory.
	asOfBuilds = 2
)

func (o AsOfOptions) withDefaults() AsOfOptions {
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultAsOfBytes
	}
	if o.Room == nil {
		o.Room = func(int64) error { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// AsOf gives views as they were at seqs of a log. Those of a seq are a file, made
// when it is first asked for: from the nearest snapshot or file of an earlier seq,
// and the records after that. Files are kept for the next who asks, also after a
// restart; the one that was used longest ago goes first.
//
// The files are a cache. They are not synced; a file counts when it has a
// manifest, which is written last, and each time that it is opened it has to be
// what the manifest says, to the byte, and the log has to have its record. One that
// is not is made anew.
//
// All methods are safe for concurrent use.
type AsOf struct {
	opts  AsOfOptions
	kept  Snapshots      // the same format, in Dir
	slots chan struct{}  // one is taken by each file that is being made
	work  sync.WaitGroup // goroutines of makings: until stop

	ctx  context.Context // of makings; done when it is closed
	stop context.CancelFunc

	mu      sync.Mutex
	closed  bool                 // guarded by mu
	files   map[uint64]*asOfFile // guarded by mu, the fields of its values too: by seq
	makings map[uint64]*making   // guarded by mu: by seq
	bytes   int64                // guarded by mu: of files
	uses    uint64               // guarded by mu: counts on with each use
}

// asOfFile is the views of a seq in a file that has a manifest.
type asOfFile struct {
	snap  Snapshot  // what the manifest says
	users int       // views and makings that need it: it stays
	used  uint64    // AsOf.uses when it was used last
	db    *views.DB // nil: not open; the same as long as somebody has it in use
}

// making is the work on views of one seq that somebody waits for.
type making struct {
	seq     uint64
	waiting int  // guarded by AsOf.mu
	begun   bool // guarded by AsOf.mu: it goes on now whether somebody waits or not

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when file and err are set
	file   *asOfFile     // with one user for each who waits
	err    error
}

// OpenAsOf opens the cache in a directory, and removes from it what is unfinished
// or of no use. Another process must not have it open.
func OpenAsOf(opts AsOfOptions) (*AsOf, error) {
	opts = opts.withDefaults()
	c := &AsOf{
		opts: opts, kept: Snapshots{Dir: opts.Dir},
		slots: make(chan struct{}, asOfBuilds),
		files: map[uint64]*asOfFile{}, makings: map[uint64]*making{},
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	if err := c.load(); err != nil {
		return nil, events.Errorf(events.CodeUnavailable, "views of earlier states, %s: %w", opts.Dir, err)
	}
	return c, nil
}

// AsOfViews are the views at a seq, to be closed by who asked for them.
type AsOfViews struct {
	cache *AsOf
	file  *asOfFile
	db    *views.DB // of file, which has it open as long as it is in use
	once  sync.Once
}

// DB returns the views; what is published is all there is. It may be used until
// Close, and is not to be closed.
func (v *AsOfViews) DB() *views.DB { return v.db }

// Bytes returns the size of the file.
func (v *AsOfViews) Bytes() int64 { return v.file.snap.SizeBytes }

// Close ends the use. Closing again does nothing.
func (v *AsOfViews) Close() error {
	v.once.Do(func() {
		v.cache.mu.Lock()
		defer v.cache.mu.Unlock()
		v.cache.release(v.file)
	})
	return nil
}

// At returns the views as they were after a record of the log. Who asks for the
// same seq at the same time gets the same ones. It is ErrUnavailable when ctx is
// done before they are made; the work on them goes on then, once it has begun, for
// the next who asks. It is ErrOutOfRange when the records that it takes are gone.
func (c *AsOf) At(ctx context.Context, seq uint64) (*AsOfViews, error) {
	file, m, err := c.find(seq)
	if err != nil {
		return nil, err
	}
	if file != nil {
		return c.viewsOf(file), nil
	}
	select {
	case <-m.done:
	case <-ctx.Done():
		if c.leave(m) {
			return nil, events.Errorf(events.CodeUnavailable, "views at seq %d: not made yet: %w; ask again", seq, ctx.Err())
		}
	}
	if m.err != nil {
		return nil, m.err
	}
	return c.viewsOf(m.file), nil
}

// viewsOf returns what is in a file that the caller has in use, and that is open.
func (c *AsOf) viewsOf(f *asOfFile) *AsOfViews { return &AsOfViews{cache: c, file: f, db: f.db} }

// find returns the file of a seq if it is open, or else who makes it.
func (c *AsOf) find(seq uint64) (*asOfFile, *making, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, errAsOfClosed
	}
	if f := c.files[seq]; f != nil && f.db != nil {
		c.use(f)
		return f, nil, nil
	}
	m := c.makings[seq]
	if m == nil {
		m = &making{seq: seq, done: make(chan struct{})}
		m.ctx, m.cancel = context.WithCancel(c.ctx)
		c.makings[seq] = m
		c.work.Go(func() { c.run(m) })
	}
	m.waiting++
	return nil, m, nil
}

var errAsOfClosed = events.Errorf(events.CodeUnavailable, "views of earlier states: the store is closed")

// leave ends the wait for a making, and the making itself if it has not begun and
// nobody else waits. It is false if it is done: then its result is to be taken.
func (c *AsOf) leave(m *making) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.makings[m.seq] != m {
		<-m.done
		return false
	}
	m.waiting--
	if m.waiting == 0 && !m.begun {
		delete(c.makings, m.seq)
		m.cancel()
	}
	return true
}

// run makes views and gives them to all who wait.
func (c *AsOf) run(m *making) {
	defer m.cancel()
	file, err := c.reopen(m.ctx, m.seq)
	if err == nil && file == nil {
		file, err = c.makeInSlot(m)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(m.done)
	if c.makings[m.seq] == m {
		delete(c.makings, m.seq)
	}
	if c.ctx.Err() != nil && err != nil {
		err = errAsOfClosed
	}
	if m.file, m.err = file, err; err != nil {
		return
	}
	file.users += m.waiting - 1 // one is of this making
	if file.users == 0 {
		c.settle()
	}
}

// makeInSlot makes the views of a seq when it is its turn.
func (c *AsOf) makeInSlot(m *making) (*asOfFile, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-m.ctx.Done():
		return nil, m.ctx.Err()
	}
	c.mu.Lock()
	m.begun = m.waiting > 0
	c.mu.Unlock()
	if !m.begun {
		return nil, m.ctx.Err()
	}
	began := time.Now()
	f, from, err := c.build(m.ctx, m.seq)
	if err != nil {
		return nil, err
	}
	c.opts.Logger.Info("views made", "seq", m.seq, "from", from, "bytes", f.snap.SizeBytes, "took", time.Since(began))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(f)
	return f, nil
}

// Close ends the makings and waits for them. Views that are in use stay readable
// until they are closed.
func (c *AsOf) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.work.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, f := range c.files {
		if f.users == 0 {
			errs = append(errs, c.shut(f))
		}
	}
	return errors.Join(errs...)
}

// reopen opens the file of a seq that is kept. It is nil if there is none that is
// good. Two makings may be here at a time, when everybody left the first one: they
// have the file in common, and what one of them has found holds for both.
func (c *AsOf) reopen(ctx context.Context, seq uint64) (*asOfFile, error) {
	f := c.hold(seq)
	if f == nil {
		return nil, nil
	}
	db, err := c.open(ctx, f.snap)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files[seq] != f || f.db != nil {
		if err == nil {
			c.complain(f, db.Close())
		}
		if f.db != nil {
			return f, nil
		}
		return nil, nil
	}
	if err == nil {
		f.db = db
		return f, nil
	}
	f.users--
	level := slog.LevelWarn
	switch {
	case errors.Is(err, events.ErrOutOfRange): // the archive was pruned
		level = slog.LevelDebug
	case !errors.Is(err, events.ErrCorrupt):
		return nil, err
	}
	c.opts.Logger.Log(ctx, level, "kept views are of no use any more", "seq", seq, "why", err)
	c.drop(f)
	return nil, nil
}

// open opens a kept file that is what its manifest says and is of this log.
func (c *AsOf) open(ctx context.Context, snap Snapshot) (*views.DB, error) {
	if err := fits(ctx, c.opts.Log, snap); err != nil {
		return nil, err
	}
	if err := c.kept.Verify(ctx, snap); err != nil {
		return nil, err
	}
	now := time.Now()
	if err := os.Chtimes(c.kept.path(snap.Seq, manifestSuffix), now, now); err != nil {
		c.opts.Logger.Warn("use of views can't be noted", "seq", snap.Seq, "err", err)
	}
	return views.Open(views.Options{Path: c.kept.path(snap.Seq, copySuffix), ReadOnly: true})
}

// hold keeps the file of a seq from being removed, if there is one.
func (c *AsOf) hold(seq uint64) *asOfFile {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.files[seq]
	if f != nil {
		c.use(f)
	}
	return f
}

// unhold ends what hold began.
func (c *AsOf) unhold(f *asOfFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release(f)
}

// unfinished returns the name of a file that is being made.
func (c *AsOf) unfinished(seq uint64) string {
	return filepath.Join(c.opts.Dir, unfinishedPrefix+filepath.Base(c.kept.path(seq, copySuffix)))
}
