package views

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/metalog/metalog/events"
)

// compactTest is views with rows that change, and a file of which the size is looked at.
type compactTest struct {
	*testing.T
	opts   Options
	db     *DB
	random *rand.Rand
	log    bytes.Buffer
}

func openToCompact(t *testing.T, maxPending int64) *compactTest {
	c := &compactTest{T: t, random: rand.New(rand.NewPCG(1, 2))}
	c.opts = Options{
		Path: filepath.Join(t.TempDir(), "views.db"), MaxPendingBytes: maxPending,
		Logger: slog.New(slog.NewTextHandler(&c.log, nil)),
	}
	c.open()
	t.Cleanup(func() {
		checkViews(t, c.db)
		must(t, c.db.Close())
		if _, err := os.Stat(c.opts.Path + compactSuffix); err == nil {
			t.Error("what a compaction had made is still there")
		}
	})
	return c
}

func (c *compactTest) open() {
	c.Helper()
	db, err := Open(c.opts)
	must(c, err)
	c.db = db
	must(c, db.Writer().Begin())
}

// put sets rows in no order, with flushes in between, and a last one.
func (c *compactTest) put(rows, flushEvery int) {
	c.Helper()
	for n, row := range c.random.Perm(rows) {
		must(c, c.db.Writer().put(c.key(row), make([]byte, 28)))
		if n%flushEvery == flushEvery-1 {
			c.flush()
		}
	}
	c.flush()
}

func (c *compactTest) key(n int) key { return bucketOffsets.key().uint64(uint64(n)) }

func (c *compactTest) flush() {
	c.Helper()
	c.handOver()
	must(c, c.db.Flush(c.Context()))
	must(c, c.db.Writer().Begin())
}

// handOver hands the pending rows over to be flushed.
func (c *compactTest) handOver() {
	c.Helper()
	advance(c, c.db.Writer())
	state, err := c.db.Writer().Seal(true)
	must(c, err)
	c.db.Publish(state)
}

// ratio is the size of the file over that of one that bbolt has compacted.
func (c *compactTest) ratio() float64 {
	c.Helper()
	to, err := bbolt.Open(filepath.Join(c.TempDir(), "compacted.db"), 0o600, nil)
	must(c, err)
	defer to.Close()
	to.AllocSize = os.Getpagesize()
	must(c, bbolt.Compact(to, c.db.bolt.DB, 64<<10))
	return float64(size(c, c.opts.Path)) / float64(size(c, to.Path()))
}

func size(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Size()
}

// TestSmallFileStaysCompact: each flush changes all pages of a file, which needs as much
// space again if it is not compacted.
func TestSmallFileStaysCompact(t *testing.T) {
	c := openToCompact(t, 4<<20)
	c.put(20_000, 20_000)
	for range 5 {
		c.put(20_000, 20_000)
		if r := c.ratio(); r > 1.5 {
			t.Errorf("%.2f times what it takes", r)
		}
	}
	before := c.db.Checkpoint()
	must(t, c.db.Close())
	c.open()
	if at := c.db.Checkpoint(); at != before {
		t.Errorf("opened again at %v, want %v", at, before)
	}
}

// TestLargerFileIsCompacted: rows that came in no order leave pages half empty. They are
// copied beside flushes, and what those change and delete meanwhile is in the copy.
func TestLargerFileIsCompacted(t *testing.T) {
	c := openToCompact(t, 1<<20)
	c.db.compactor.off = true
	c.put(40_000, 2_000)
	c.db.compactor.off = false
	if r := c.ratio(); r < 1.5 {
		t.Fatalf("%.2f times what it takes, before: nothing to compact", r)
	}
	old, beside := c.db.bolt, 0
	for n := 0; c.db.bolt == old; n++ {
		if n == 100 {
			t.Fatal("not compacted by a hundred flushes")
		}
		for range 20 {
			must(t, c.db.Writer().put(c.key(c.random.IntN(40_000)), []byte{byte(n)}))
		}
		must(t, c.db.Writer().remove(c.key(39_000+n))) // is not copied yet
		must(t, c.db.Writer().remove(c.key(n)))
		must(t, c.db.Writer().put(c.key(n), []byte("new")))
		if c.flush(); c.db.compactor.copying != nil {
			beside++
		}
	}
	if beside < 5 {
		t.Errorf("copied by %d flushes", beside)
	}
	if r := c.ratio(); r > 1.2 {
		t.Errorf("%.2f times what it takes, after", r)
	}
}

// TestFileShrinks: a file is compacted whose rows are gone, however large it has become.
func TestFileShrinks(t *testing.T) {
	c := openToCompact(t, 256<<10)
	c.put(40_000, 40_000)
	if before := size(t, c.opts.Path); float64(before) < 2*mostRowsCompacted*(256<<10) {
		t.Fatalf("%d bytes are not large", before)
	}
	for n := range 39_000 {
		must(t, c.db.Writer().remove(c.key(n)))
	}
	c.flush()
	c.put(1, 1)
	if after := size(t, c.opts.Path); after > 512<<10 {
		t.Errorf("%d bytes for a thousand rows", after)
	}
}

// TestSnapshotOutlivesFile: a snapshot reads on in the file that was replaced.
func TestSnapshotOutlivesFile(t *testing.T) {
	c := openToCompact(t, 4<<20)
	must(t, c.db.Writer().put(c.key(1), []byte("before")))
	c.flush()
	snapshot, err := c.db.Snapshot()
	must(t, err)
	defer snapshot.Close()
	old := c.db.bolt
	for c.db.bolt == old {
		must(t, c.db.Writer().put(c.key(1), []byte("after")))
		c.put(20_000, 20_000)
	}
	if value, _, err := snapshot.get(c.key(1)); err != nil || string(value) != "before" {
		t.Errorf("row is %q, %v", value, err)
	}
}

// TestCompactionFails: the flush goes on with the file as it is.
func TestCompactionFails(t *testing.T) {
	c := openToCompact(t, 4<<20)
	inTheWay := c.opts.Path + compactSuffix
	must(t, os.MkdirAll(filepath.Join(inTheWay, "x"), 0o700))
	old := c.db.bolt
	for range 4 {
		c.put(20_000, 20_000)
	}
	if c.db.bolt != old || !strings.Contains(c.log.String(), "can't be compacted") {
		t.Errorf("log: %s", &c.log)
	}
	must(t, os.RemoveAll(inTheWay))
}

// TestCancelledCompaction: a flush that is given up leaves the old file, and the next one
// compacts.
func TestCancelledCompaction(t *testing.T) {
	c := openToCompact(t, 4<<20)
	c.db.compactor.off = true
	c.put(20_000, 20_000)
	c.put(20_000, 20_000)
	c.db.compactor.off = false
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, c.db.Writer().put(c.key(1), nil))
	c.handOver()
	at, old := c.db.Flushed(), c.db.bolt
	if err := c.db.Flush(ctx); err == nil {
		t.Error("a cancelled flush succeeded")
	}
	if c.db.Flushed() != at || c.db.bolt != old {
		t.Error("a cancelled flush replaced the file")
	}
	must(t, c.db.Flush(t.Context()))
	must(t, c.db.Writer().Begin())
	if c.db.bolt == old {
		t.Error("not compacted after a cancelled flush")
	}
}

// TestUnfinishedCompaction: what a crash leaves is removed, and so is what is not finished
// when the views are closed.
func TestUnfinishedCompaction(t *testing.T) {
	c := openToCompact(t, 4<<20)
	c.put(100, 100)
	unfinished := c.opts.Path + compactSuffix
	var err error
	c.db.compactor.copying, err = newCompaction(unfinished, false)
	must(t, err)
	must(t, c.db.Close())
	if _, err := os.Stat(unfinished); !os.IsNotExist(err) {
		t.Errorf("after closing: %v", err)
	}
	must(t, os.WriteFile(unfinished, []byte("half"), 0o600))
	c.open()
	if _, err := os.Stat(unfinished); !os.IsNotExist(err) {
		t.Errorf("after opening: %v", err)
	}
}

// TestFileIsStillNamed: who has waited for the lock of a file gets it when a compaction has
// replaced the file, and must not take it for the views.
func TestFileIsStillNamed(t *testing.T) {
	path := flushedFile(t)
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	must(t, stillNamed(file, path))
	must(t, os.Rename(flushedFile(t), path))
	if err := boltError(path, stillNamed(file, path)); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("of a file that was replaced: %v", err)
	}
}

// TestCopyRests: copying leaves the disk to others in between, until one waits for it.
func TestCopyRests(t *testing.T) {
	c := openToCompact(t, 4<<20)
	c.put(20_000, 20_000)
	copied := func(wanted <-chan struct{}) (rested, took time.Duration) {
		copying, err := newCompaction(c.opts.Path+compactSuffix, true)
		must(t, err)
		defer func() { must(t, copying.abandon()) }()
		b := &batch{layers: []*rows{newRows(0)}, wanted: wanted}
		began := time.Now()
		must(t, c.db.compact(t.Context(), copying, b, everything, everything))
		return b.rested, time.Since(began)
	}
	layer := newLayer(newRows(0), Checkpoint{}, 0)
	if rested, took := copied(layer.wanted); rested < took/2 {
		t.Errorf("rested %s of %s", rested, took)
	}
	layer.want()
	if rested, took := copied(layer.wanted); rested > took/2 {
		t.Errorf("rested %s of %s while somebody waited", rested, took)
	}
	if rested, _ := copied(nil); rested > 0 {
		t.Errorf("rested %s with nobody beside", rested)
	}
}

// TestCopyGivesWay: of what later flushes can go on with little is copied while others wait.
func TestCopyGivesWay(t *testing.T) {
	c := openToCompact(t, 4<<20)
	c.put(40_000, 20_000)
	layer := newLayer(newRows(0), Checkpoint{}, 0)
	copying, err := newCompaction(c.opts.Path+compactSuffix, false)
	must(t, err)
	defer func() { must(t, copying.abandon()) }()
	there := 0
	copied := func() (n int) {
		must(t, c.db.compactBeside(t.Context(), copying, &batch{layers: []*rows{newRows(0)}, wanted: layer.wanted}))
		must(t, copying.file.View(func(tx *bbolt.Tx) error {
			n = tx.Bucket([]byte(bucketOffsets.String())).Stats().KeyN - there
			return nil
		}))
		there += n
		return n
	}
	alone := copied()
	layer.want()
	if beside := copied(); beside == 0 || beside > alone/2 {
		t.Errorf("copied %d rows, and %d while others waited", alone, beside)
	}
}

// TestPagesOfReplacedFile: rows that were looked up in the file before still count, and a
// page does not count once for each file.
func TestPagesOfReplacedFile(t *testing.T) {
	p := newFilePages(0)
	p.in(&boltFile{})
	look := func(pages int) {
		mapped := make([]byte, pages*pageSize)
		for n := range pages {
			p.add(mapped[n*pageSize:][:1], false)
		}
	}
	look(100)
	p.in(&boltFile{})
	if got := p.bytes() / pageSize; got != 100 {
		t.Errorf("%d pages right after the file was replaced, want 100", got)
	}
	look(120)
	if got := p.bytes() / pageSize; got != 120 {
		t.Errorf("%d pages after 100 in one file and 120 in the next", got)
	}
	p.reset()
	if p.bytes() != 0 {
		t.Errorf("%d bytes after they were handed over", p.bytes())
	}
}

// TestPagesApart: rows that are far apart stay so while more of them gather than may be
// flushed, and therefore share pages.
func TestPagesApart(t *testing.T) {
	const few = 1000
	p := newFilePages(4 * few * pageSize)
	mapped := make([]byte, few*pageSize)
	look := func(rows, pages int) {
		for n := range rows {
			p.add(mapped[n%pages*pageSize:][:1], false)
		}
	}
	look(10*few, few)
	if !p.apart() {
		t.Error("not apart after more than a few have gathered")
	}
	p.reset()
	look(few, 10)
	if p.apart() {
		t.Error("apart, and a hundred in a page")
	}
}
