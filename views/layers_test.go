package views

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// model is what one bucket should hold, by key.
type model map[string]string

// layersTest drives a DB and a model of it through random steps.
type layersTest struct {
	path      string
	db        *DB
	now       model            // what the writer has done
	at        map[uint64]model // what each sealed seq should show
	published uint64
	sealed    []*State  // not published yet
	held      *Snapshot // one that stays open over other steps; nil: none
}

// TestLayers puts, deletes, loads in bulk, seals, publishes, freezes, flushes, compacts and
// reopens at random, and compares every read of writer and snapshot with a plain map.
func TestLayers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "views")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		l := &layersTest{path: filepath.Join(dir, "views.db"), now: model{}, at: map[uint64]model{0: {}}}
		l.open(t)
		defer func() { l.letGo(t); l.db.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"put":      l.put,
			"remove":   l.remove,
			"seal":     l.seal,
			"publish":  l.publish,
			"flush":    l.flush,
			"flushAll": l.flushAll,
			"load":     l.load,
			"compact":  l.compact,
			"hold":     l.hold,
			"reopen":   l.reopen,
			"":         l.check,
		})
	})
}

var keys = rapid.StringMatching(`[ab\xff]{1,3}`)

func (l *layersTest) open(t *rapid.T) {
	// The smaller limit has the loader forget its rows with each flush.
	limit := rapid.SampledFrom([]int64{100, 1 << 20}).Draw(t, "max pending bytes")
	db, err := Open(Options{Path: l.path, MaxPendingBytes: limit})
	if err != nil {
		t.Fatal(err)
	}
	l.db = db
	if err := db.Writer().Begin(); err != nil {
		t.Fatal(err)
	}
}

func (l *layersTest) put(t *rapid.T) {
	k, v := keys.Draw(t, "key"), rapid.StringN(0, 3, -1).Draw(t, "value")
	if err := l.db.Writer().put(bucketSegments.key().string(k), []byte(v)); err != nil {
		t.Fatal(err)
	}
	l.now[k] = v
}

func (l *layersTest) remove(t *rapid.T) {
	k := keys.Draw(t, "key")
	err := l.db.Writer().remove(bucketSegments.key().string(k))
	if _, there := l.now[k]; there != (err == nil) {
		t.Fatalf("remove of %q, there: %v: %v", k, there, err)
	}
	delete(l.now, k)
}

// load begins to load in bulk, or ends it.
func (l *layersTest) load(*rapid.T) {
	if tx := l.db.Writer(); tx.loader == nil {
		tx.BeginLoad()
	} else {
		tx.EndLoad()
	}
}

// compact begins a compaction, which ends with the next flush or goes on beside several.
func (l *layersTest) compact(t *rapid.T) {
	if l.db.compactor.copying != nil {
		t.Skip("one is under way")
	}
	c, err := newCompaction(l.path+compactSuffix, rapid.Bool().Draw(t, "at once"))
	if err != nil {
		t.Fatal(err)
	}
	l.db.compactor.copying = c
}

func (l *layersTest) seal(t *rapid.T) {
	tx := l.db.Writer()
	tx.at.Seq++
	state, err := tx.Seal(rapid.Bool().Draw(t, "freeze"))
	if err != nil {
		t.Fatal(err)
	}
	l.at[state.at.Seq] = maps.Clone(l.now)
	l.sealed = append(l.sealed, state)
	if err := tx.Begin(); err != nil {
		t.Fatal(err)
	}
}

func (l *layersTest) publish(t *rapid.T) {
	if len(l.sealed) == 0 {
		t.Skip("nothing sealed")
	}
	l.db.Publish(l.sealed[0])
	l.published, l.sealed = l.sealed[0].at.Seq, l.sealed[1:]
}

func (l *layersTest) flush(t *rapid.T) {
	if err := l.db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (l *layersTest) flushAll(t *rapid.T) {
	if err := l.db.FlushAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := l.db.Flushed().Seq; got != l.published {
		t.Fatalf("flushed up to %d, published %d", got, l.published)
	}
}

// reopen loses what was not flushed, as a crash would.
func (l *layersTest) reopen(t *rapid.T) {
	l.letGo(t)
	seq := l.db.Flushed().Seq
	if err := l.db.Close(); err != nil {
		t.Fatal(err)
	}
	l.open(t)
	if got := l.db.Checkpoint().Seq; got != seq {
		t.Fatalf("opened at seq %d, flushed up to %d", got, seq)
	}
	l.now, l.published, l.sealed = maps.Clone(l.at[seq]), seq, nil
}

func (l *layersTest) check(t *rapid.T) {
	if flushed := l.db.Flushed().Seq; flushed > l.published {
		t.Fatalf("flushed up to %d, published %d", flushed, l.published)
	}
	prefix := rapid.StringMatching(`[ab\xff]{0,2}`).Draw(t, "prefix")
	start := prefix + rapid.StringMatching(`[ab\xff]{0,2}`).Draw(t, "start")
	if rapid.Bool().Draw(t, "the writer too") { // a scan brings in order what has gathered
		checkReader(t, &l.db.Writer().Reader, l.now, prefix, start)
	}
	snapshot, err := l.db.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	if snapshot.Seq() != l.published {
		t.Fatalf("snapshot of seq %d, published %d", snapshot.Seq(), l.published)
	}
	checkReader(t, &snapshot.Reader, l.at[l.published], prefix, start)
	if l.held != nil {
		checkReader(t, &l.held.Reader, l.at[l.held.Seq()], prefix, start)
	}
}

// hold opens a snapshot that stays, in place of the one before.
func (l *layersTest) hold(t *rapid.T) {
	l.letGo(t)
	held, err := l.db.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	l.held = held
}

func (l *layersTest) letGo(t *rapid.T) {
	if l.held == nil {
		return
	}
	if err := l.held.Close(); err != nil {
		t.Fatal(err)
	}
	l.held = nil
}

func checkReader(t *rapid.T, r *Reader, want model, prefix, start string) {
	sum, counts, err := r.ComputeDigest(t.Context())
	if err != nil || sum != r.Digest() || counts != r.Checkpoint().Counts {
		t.Fatalf("digest %s of rows, %s kept, counts %v and %v: %v", sum, r.Digest(), counts, r.Checkpoint().Counts, err)
	}
	for _, k := range append(slices.Collect(maps.Keys(want)), prefix+"a", start+"b") {
		value, found, err := r.get(bucketSegments.key().string(k))
		if v, there := want[k]; err != nil || found != there || string(value) != v {
			t.Fatalf("get %q: %q, %v, %v; want %q, %v", k, value, found, err, v, there)
		}
	}
	var up, down []string
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if strings.HasPrefix(k, prefix) && k >= start {
			up = append(up, k+"="+want[k])
		}
		if strings.HasPrefix(k, prefix) && k < start {
			down = append(down, k+"="+want[k])
		}
	}
	slices.Reverse(down)
	in, from := bucketSegments.key().string(prefix), bucketSegments.key().string(start)
	compareScan(t, "up", r, bounds{prefix: in, start: from}, up)
	compareScan(t, "down", r, bounds{prefix: in, start: from, descending: true}, down)
	slices.Reverse(down)
	whole := append(down, up...)
	compareScan(t, "whole", r, bounds{prefix: in, start: in}, whole)
	slices.Reverse(whole)
	compareScan(t, "whole, down", r, bounds{prefix: in, start: in.after(), descending: true}, whole)
}

func compareScan(t *rapid.T, name string, r *Reader, b bounds, want []string) {
	var got []string
	for row, err := range r.merge(b) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(row.key)+"="+string(row.value))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("scan %s of %q from %q: %q, want %q", name, b.prefix, b.start, got, want)
	}
}

// TestScanSeesItsBeginning changes rows of a Tx while scanning it.
func TestScanSeesItsBeginning(t *testing.T) {
	_, tx := mustOpen(t)
	for _, k := range []string{"a", "b", "c"} {
		must(t, tx.put(bucketSegments.key().string(k), []byte(k)))
	}
	var got bytes.Buffer
	for row, err := range tx.scan(bucketSegments.key()) {
		must(t, err)
		got.Write(row.key)
		must(t, tx.remove(bucketSegments.key().string(string(row.key))))
		must(t, tx.put(bucketSegments.key().string(string(row.key)+"+"), nil))
	}
	if got.String() != "abc" {
		t.Errorf("scan showed %q, want abc", got.String())
	}
}
