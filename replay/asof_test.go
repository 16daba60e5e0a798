package replay_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
)

// asOfFixture is a cache over the log of a store.
type asOfFixture struct {
	*replay.AsOf
	t       *testing.T
	store   *storetest.Store
	opts    replay.AsOfOptions
	gate    *gate
	log     *lockedBuffer
	digests map[uint64]events.Hash // by seq, as a rebuild gets them
}

// openAsOf makes a store with some records, and a cache over its log.
func openAsOf(t *testing.T, change ...func(*replay.AsOfOptions)) *asOfFixture {
	t.Helper()
	return openAsOfWith(t, "a", change...)
}

// openAsOfWith is openAsOf for a store whose topics have other names.
func openAsOfWith(t *testing.T, topics string, change ...func(*replay.AsOfOptions)) *asOfFixture {
	t.Helper()
	f := &asOfFixture{t: t, store: openSmall(t), log: &lockedBuffer{}, digests: map[uint64]events.Hash{}}
	addTopics(f.store, topics, 20)
	f.gate = newGate(f.store.Log())
	f.opts = replay.AsOfOptions{
		Dir: filepath.Join(t.TempDir(), "asof"), Log: f.gate, Bases: replay.Bases{Snapshots: snapshotsOf(f.store.Options.Path)},
		Logger: slog.New(slog.NewTextHandler(f.log, nil)),
	}
	for _, change := range change {
		change(&f.opts)
	}
	f.open()
	t.Cleanup(f.close)
	return f
}

func (f *asOfFixture) open() {
	f.t.Helper()
	var err error
	if f.AsOf, err = replay.OpenAsOf(f.opts); err != nil {
		f.t.Fatal(err)
	}
}

func (f *asOfFixture) close() {
	f.t.Helper()
	if err := f.Close(); err != nil {
		f.t.Error(err)
	}
}

func (f *asOfFixture) reopen() {
	f.t.Helper()
	f.close()
	f.open()
}

// digest returns what the views at a seq should have.
func (f *asOfFixture) digest(seq uint64) events.Hash {
	f.t.Helper()
	if len(f.digests) == 0 {
		all := map[uint64]events.Hash{}
		for seq := range f.store.Seq() {
			all[seq+1] = events.Hash{}
		}
		f.digests = rebuiltDigests(f.t, f.store.Options.Path, all)
	}
	return f.digests[seq]
}

// at returns the views at a seq, which must be right: all rows are read.
func (f *asOfFixture) at(seq uint64) *replay.AsOfViews {
	f.t.Helper()
	state, err := f.At(f.t.Context(), seq)
	if err != nil {
		f.t.Fatal(err)
	}
	snapshot, err := state.DB().Snapshot()
	if err != nil {
		f.t.Fatal(err)
	}
	digest, _, err := snapshot.ComputeDigest(f.t.Context())
	if want := f.digest(seq); err != nil || snapshot.Seq() != seq || digest != want || snapshot.Digest() != want {
		f.t.Errorf("seq %d: seq %d, digest %s (%s), %v; want %s", seq, snapshot.Seq(), digest, snapshot.Digest(), err, want)
	}
	if err := snapshot.Close(); err != nil {
		f.t.Error(err)
	}
	return state
}

// read reads the views at a seq and lets go of them.
func (f *asOfFixture) read(seq uint64) {
	f.t.Helper()
	if err := f.at(seq).Close(); err != nil {
		f.t.Error(err)
	}
}

// kept returns the seqs that the directory has files of.
func (f *asOfFixture) kept() []uint64 {
	f.t.Helper()
	return seqsOf(f.t, replay.Snapshots{Dir: f.opts.Dir})
}

func (f *asOfFixture) wantKept(seqs ...uint64) {
	f.t.Helper()
	if got := f.kept(); !slices.Equal(got, seqs) {
		f.t.Errorf("files of %v are kept, want %v", got, seqs)
	}
	entries, err := os.ReadDir(f.opts.Dir)
	if err != nil || len(entries) != 2*len(seqs) {
		f.t.Errorf("the directory has %v, %v; want two files for each of %v", entries, err, seqs)
	}
}

func (f *asOfFixture) file(seq uint64, suffix string) string {
	list, err := replay.Snapshots{Dir: f.opts.Dir}.List()
	for _, snap := range list {
		if err == nil && snap.Seq == seq {
			return strings.TrimSuffix(copyOf(replay.Snapshots{Dir: f.opts.Dir}, snap), ".db") + suffix
		}
	}
	f.t.Fatalf("seq %d is not kept: %v, %v", seq, list, err)
	return ""
}

// lockedBuffer is a buffer that several goroutines may write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// gate is a log that holds up who reads records, and counts the records.
type gate struct {
	eventlog.Reader
	hold    atomic.Pointer[chan struct{}] // readers wait until it is closed; nil: nobody waits
	entered chan struct{}                 // gets one for each who waits
	records atomic.Int64                  // so many were read
	inside  atomic.Int64                  // so many wait
	most    atomic.Int64                  // of inside
}

func newGate(log eventlog.Reader) *gate {
	return &gate{Reader: log, entered: make(chan struct{}, 100)}
}

func (g *gate) Records(ctx context.Context, from uint64) iter.Seq2[*events.Record, error] {
	return func(yield func(*events.Record, error) bool) {
		if err := g.wait(ctx); err != nil {
			yield(nil, err)
			return
		}
		for rec, err := range g.Reader.Records(ctx, from) {
			g.records.Add(1)
			if !yield(rec, err) {
				return
			}
		}
	}
}

func (g *gate) wait(ctx context.Context) error {
	hold := g.hold.Load()
	if hold == nil {
		return nil
	}
	n := g.inside.Add(1)
	defer g.inside.Add(-1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
		continue
	}
	g.entered <- struct{}{}
	select {
	case <-*hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shut has readers wait until the function is called that it returns.
func (g *gate) shut() (open func()) {
	hold := make(chan struct{})
	g.hold.Store(&hold)
	return func() {
		g.hold.Store(nil)
		close(hold)
	}
}

// await returns when so many more wait.
func (g *gate) await(n int) {
	for range n {
		<-g.entered
	}
}

// Whatever was asked for before, and wherever it begins, the views are right.
func TestAsOf(t *testing.T) {
	f := openAsOf(t, func(o *replay.AsOfOptions) { o.MaxBytes = 256 << 10 })
	for i := range 3 {
		createSnapshot(t, f.store)
		addTopics(f.store, "b"+string(rune('0'+i)), 15)
	}
	f.reopen()
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		f.read(1 + random.Uint64N(f.store.Seq()))
	}
	if n := len(f.kept()); n < 2 || n > 9 {
		t.Errorf("%d files are kept in 256 KiB", n)
	}
	for range 60 {
		if f.reopen(); random.IntN(2) == 0 {
			f.read(1 + random.Uint64N(f.store.Seq()))
		}
	}
}

func TestAsOfFileModes(t *testing.T) {
	f := openAsOf(t)
	f.read(5)
	for path, want := range map[string]os.FileMode{
		f.opts.Dir: 0o700 | os.ModeDir, f.file(5, ".db"): 0o600, f.file(5, ".json"): 0o600,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

// Views are made once, whoever asks for them, and again for nobody who asks later.
func TestAsOfOnce(t *testing.T) {
	f := openAsOf(t)
	open := f.gate.shut()
	f.digest(1) // not while several goroutines ask for it
	var asking sync.WaitGroup
	states := make([]*replay.AsOfViews, 8)
	for i := range states {
		asking.Go(func() { states[i] = f.at(10) })
	}
	f.gate.await(1)
	open()
	asking.Wait()
	for _, state := range states {
		if state.DB() != states[0].DB() {
			t.Error("not the same views")
		}
		if err := errors.Join(state.Close(), state.Close()); err != nil {
			t.Error(err)
		}
	}
	f.read(10)
	if n := f.gate.records.Load(); n != 10 {
		t.Errorf("%d records were read, want the first 10", n)
	}
	f.reopen()
	f.read(10)
	if n := f.gate.records.Load(); n != 11 {
		t.Errorf("after opening again %d more were read, want the last one, to see that it is the same log", n-10)
	}
}

// A making that everybody left may still open the file when the next one does.
func TestAsOfOpenedTwice(t *testing.T) {
	f := openAsOf(t)
	f.read(10)
	f.read(11)
	f.reopen()
	info, err := os.Stat(f.file(11, ".db"))
	if err != nil {
		t.Fatal(err)
	}
	reopen := func(seq uint64) *replay.AsOfViews {
		state, err := f.Reopen(t.Context(), seq)
		if err != nil {
			t.Error(err)
		}
		return state
	}
	first, second := reopen(11), reopen(11)
	if first.DB() != second.DB() {
		t.Error("the file is open twice")
	}
	if err := errors.Join(first.Close(), second.Close()); err != nil {
		t.Error(err)
	}

	zero(t, f.file(10, ".db"))
	open := f.gate.shut()
	var opening sync.WaitGroup
	for range 2 {
		opening.Go(func() {
			if reopen(10) != nil {
				t.Error("damaged views are taken for good ones")
			}
		})
	}
	f.gate.await(2) // both know of the file
	open()
	opening.Wait()
	if n := f.KeptBytes(); n != info.Size() {
		t.Errorf("%d bytes are counted, want the %d of the file that is left", n, info.Size())
	}
	f.read(10)
	f.wantKept(10, 11)
}

// Of views of many seqs, two are made at a time.
func TestAsOfBounded(t *testing.T) {
	f := openAsOf(t)
	open := f.gate.shut()
	f.digest(1) // not while several goroutines ask for it
	var asking sync.WaitGroup
	for seq := range uint64(6) {
		asking.Go(func() { f.read(10 + seq) })
	}
	f.gate.await(2)
	openAsOf(t).read(10) // takes as long as a third one would
	open()
	asking.Wait()
	if most := f.gate.most.Load(); most != 2 {
		t.Errorf("%d were made at a time", most)
	}
	f.wantKept(10, 11, 12, 13, 14, 15)
}

// Who gives up leaves the work to the others, and what has begun to those who come
// later.
func TestAsOfCancelled(t *testing.T) {
	f := openAsOf(t)
	open := f.gate.shut()
	impatient, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	f.digest(1) // not while several goroutines ask for it
	ask := func(seq uint64) {
		_, err := f.At(impatient, seq)
		gaveUp <- err
	}
	go ask(10)
	go ask(11)
	f.gate.await(2)
	go ask(12) // waits for its turn
	var patient sync.WaitGroup
	patient.Go(func() { f.read(10) })
	cancel()
	for range 3 {
		if err := <-gaveUp; !errors.Is(err, events.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up is told %v", err)
		}
	}
	open()
	patient.Wait()
	f.read(11)
	if n := f.gate.records.Load(); n != 10+11 {
		t.Errorf("%d records were read, want those up to 10 and up to 11", n)
	}
	f.close() // waits for all that is being made
	f.wantKept(10, 11)
	f.open()
}

// Seqs go down, so that no file is begun with another one, and all are of a size.
func TestAsOfLimit(t *testing.T) {
	f := openAsOf(t)
	f.read(16)
	info, err := os.Stat(f.file(16, ".db"))
	if err != nil {
		t.Fatal(err)
	}
	f.opts.MaxBytes = 2*info.Size() + info.Size()/2
	f.reopen()
	f.read(15)
	f.read(16)
	f.read(14) // 15 was used longest ago
	f.wantKept(14, 16)

	inUse := f.at(16)
	f.read(14)
	f.read(13) // 16 was, but is in use
	f.wantKept(13, 16)
	f.read(12)
	f.wantKept(12, 16)
	if err := inUse.Close(); err != nil {
		t.Error(err)
	}

	// Which one was used longest ago is known after opening again, too.
	f.reopen()
	f.read(16) // made before 12
	f.reopen()
	f.read(11)
	f.wantKept(11, 16)

	f.opts.MaxBytes = -1
	f.reopen()
	f.wantKept()
	inUse = f.at(10)
	f.wantKept(10)
	if err := inUse.Close(); err != nil {
		t.Error(err)
	}
	f.wantKept()
}

// Files make room for what the disk is kept free for.
func TestAsOfRoom(t *testing.T) {
	var full atomic.Bool
	f := openAsOf(t, func(o *replay.AsOfOptions) {
		o.Room = func(int64) error {
			if full.Load() {
				return events.Errorf(events.CodeUnavailable, "the disk is full")
			}
			return nil
		}
	})
	f.read(10)
	inUse := f.at(11)
	full.Store(true)
	if _, err := f.At(t.Context(), 12); !errors.Is(err, events.ErrUnavailable) || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("on a full disk: %v", err)
	}
	f.wantKept(11)
	if err := inUse.Close(); err != nil {
		t.Error(err)
	}
	f.wantKept()
	full.Store(false)
	f.read(12)
}

// What a crash left is removed, and what is damaged is made anew.
func TestAsOfLeftovers(t *testing.T) {
	f := openAsOf(t)
	for seq := uint64(5); seq <= 10; seq++ {
		f.read(seq)
	}
	f.close()
	spoil := func(path string, change func([]byte) []byte) {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, change(data))
	}
	cut := func(data []byte) []byte { return data[:len(data)/2] }
	write(t, filepath.Join(f.opts.Dir, "new-00000000000000000004.db"), []byte("begun"))
	write(t, filepath.Join(f.opts.Dir, "00000000000000000003.db"), []byte("without a manifest"))
	write(t, filepath.Join(f.opts.Dir, "00000000000000000002.json"), []byte("{}"))
	remove(t, f.file(6, ".db"))
	spoil(f.file(7, ".db"), cut)
	spoil(f.file(8, ".db"), func(data []byte) []byte { data[len(data)/2] ^= 1; return data })
	spoil(f.file(9, ".json"), func(data []byte) []byte {
		return bytes.Replace(data, []byte(f.digest(9).String()), []byte(f.digest(8).String()), 1)
	})
	spoil(f.file(10, ".json"), cut)
	f.open()
	f.wantKept(5, 8, 9)
	for seq := uint64(1); seq <= 10; seq++ {
		f.read(seq)
	}
	f.wantKept(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	if !strings.Contains(f.log.String(), "of no use any more") {
		t.Errorf("the damage is not told: %s", f.log)
	}
}

// Views of another log are not taken for those of this one.
func TestAsOfOtherLog(t *testing.T) {
	other, f := openAsOfWith(t, "x"), openAsOf(t)
	other.read(10)
	other.close()
	createSnapshot(t, other.store)
	if err := errors.Join(os.CopyFS(f.opts.Dir, os.DirFS(other.opts.Dir)), os.CopyFS(f.opts.Bases.Snapshots.Dir, os.DirFS(other.opts.Bases.Snapshots.Dir))); err != nil {
		t.Fatal(err)
	}
	other.open()
	addTopics(f.store, "c", 5)
	if other.digest(10) == f.digest(10) {
		t.Fatal("the logs do not differ")
	}
	f.reopen()
	f.wantKept(10)
	f.read(10)
	f.read(f.store.Seq())
}

// A damaged snapshot is passed over, and said so.
func TestAsOfDamagedSnapshot(t *testing.T) {
	f := openAsOf(t)
	createSnapshot(t, f.store)
	addTopics(f.store, "b", 5)
	damaged := createSnapshot(t, f.store)
	addTopics(f.store, "c", 5)
	zero(t, copyOf(f.opts.Bases.Snapshots, damaged))
	f.read(f.store.Seq() - 1)
	if !strings.Contains(f.log.String(), "passed over") {
		t.Errorf("the damage is not told: %s", f.log)
	}
}

// zero overwrites a page in the middle of a file.
func zero(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[len(data)/2 : len(data)/2+4096])
	write(t, path, data)
}

// shortened is a log whose first records are gone.
type shortened struct {
	eventlog.Reader
	first uint64
}

func (s shortened) First() uint64 { return s.first }

func (s shortened) Records(ctx context.Context, from uint64) iter.Seq2[*events.Record, error] {
	if from < s.first {
		return func(yield func(*events.Record, error) bool) {
			yield(nil, events.Errorf(events.CodeOutOfRange, "seq %d is gone", from))
		}
	}
	return s.Reader.Records(ctx, from)
}

// Without its records a state can be made from a snapshot alone.
func TestAsOfGone(t *testing.T) {
	f := openAsOf(t)
	first := createSnapshot(t, f.store) // seq 21
	addTopics(f.store, "b", 5)
	second := createSnapshot(t, f.store)
	addTopics(f.store, "c", 5)
	f.read(15)
	f.read(23)
	for _, c := range []struct{ start, from uint64 }{{first.Seq + 1, first.Seq}, {first.Seq + 2, second.Seq}, {second.Seq, second.Seq}} {
		f.opts.Log = shortened{f.gate, c.start}
		f.opts.Dir = filepath.Join(t.TempDir(), "asof")
		f.reopen()
		for seq := uint64(1); seq <= f.store.Seq(); seq++ {
			if seq >= c.from {
				f.read(seq)
				continue
			}
			_, err := f.At(t.Context(), seq)
			if want := "ask for seq " + strconv.FormatUint(c.from, 10) + " or a later one"; !errors.Is(err, events.ErrOutOfRange) || !strings.Contains(err.Error(), want) {
				t.Errorf("log from seq %d, seq %d: %v; want %q", c.start, seq, err, want)
			}
		}
	}
	f.opts.Log = shortened{f.gate, second.Seq + 2}
	f.opts.Dir = filepath.Join(t.TempDir(), "asof")
	f.reopen()
	if _, err := f.At(t.Context(), second.Seq+2); !errors.Is(err, events.ErrOutOfRange) || !strings.Contains(err.Error(), "there is no snapshot") {
		t.Errorf("no base is left: %v", err)
	}
}

// A kept file counts only as long as the log has its record.
func TestAsOfKeptBeyondTheLog(t *testing.T) {
	f := openAsOf(t)
	f.read(5)
	f.opts.Log = shortened{f.gate, 10}
	f.reopen()
	if _, err := f.At(t.Context(), 5); !errors.Is(err, events.ErrOutOfRange) {
		t.Errorf("seq 5: %v", err)
	}
	f.wantKept()
	if strings.Contains(f.log.String(), "of no use any more") {
		t.Errorf("what was to be expected is told: %s", f.log)
	}
}

// Close ends what is being made, and does not wait for views that are in use.
func TestAsOfClose(t *testing.T) {
	f := openAsOf(t)
	inUse := f.at(10)
	defer f.gate.shut()()
	asked := make(chan error)
	go func() {
		_, err := f.At(t.Context(), 12)
		asked <- err
	}()
	f.gate.await(1)
	f.close()
	if err := <-asked; !errors.Is(err, events.ErrUnavailable) || !strings.Contains(err.Error(), "closed") {
		t.Errorf("who waited is told %v", err)
	}
	if _, err := f.At(t.Context(), 10); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
	db := inUse.DB()
	snapshot, err := db.Snapshot()
	if err != nil || snapshot.Seq() != 10 {
		t.Errorf("views in use: %v", err)
	}
	if err := errors.Join(snapshot.Close(), inUse.Close()); err != nil {
		t.Error(err)
	}
	if _, err := db.Snapshot(); err == nil {
		t.Error("the file is still open")
	}
	f.wantKept(10)
}
