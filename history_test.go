package metalog_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
)

// TestIndexInTheBackground: a new store has the index of its own log, which the next
// opening finds in order; one that was not asked to has none.
func TestIndexInTheBackground(t *testing.T) {
	var log bytes.Buffer
	s := storetest.Open(t, func(o *metalog.Options) {
		o.IndexHistory = true
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	s.Must(metalog.CreateGroup{ID: "g"})
	file := filepath.Join(s.Options.Path, "history.db")
	for {
		if _, err := os.Stat(file); err == nil {
			break
		}
		runtime.Gosched()
	}
	s.Reopen()
	for e, err := range s.History(t.Context(), metalog.HistoryQuery{Entity: "group/g"}) {
		if err != nil || e.Type != "GroupCreated" {
			t.Errorf("%+v, %v", e, err)
		}
	}
	s.MustClose()
	if bytes.Contains(log.Bytes(), []byte("set aside")) {
		t.Errorf("the index was made anew: %s", log.Bytes())
	}
	for _, err := range s.History(t.Context(), metalog.HistoryQuery{Entity: "group/g"}) {
		if !errors.Is(err, metalog.ErrUnavailable) {
			t.Errorf("of a closed store: %v", err)
		}
	}

	plain := storetest.Open(t)
	plain.Must(metalog.CreateGroup{ID: "g"})
	if _, err := os.Stat(filepath.Join(plain.Options.Path, "history.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store that nobody asked has an index: %v", err)
	}
}

// TestIndexWhileTheArchiveIsAway: indexing goes on by itself when the archive is back,
// from where that begins, which could not be known before.
func TestIndexWhileTheArchiveIsAway(t *testing.T) {
	dir := archiveDir(t)
	s := openInSegments(t, 40)
	middle := mustSnapshot(t, s)
	addTopics(s, "u", 40)
	twoSnapshots(t, s)
	addTopics(s, "v", 10)
	mustArchive(t, s, metalog.ArchiveOptions{To: dir})
	pruned, err := s.PruneArchive(t.Context(), metalog.PruneOptions{BeforeSnapshot: middle.Seq})
	check(t, err)
	if pruned.FirstSeq == 1 {
		t.Fatalf("nothing was pruned: %+v", pruned)
	}
	var log bytes.Buffer
	s.MustClose()
	check(t, os.Rename(dir, dir+".away"))
	synctest.Test(t, func(t *testing.T) { // not with what is above, for tests have the decoders in common
		s.Options.IndexHistory, s.Options.Logger = true, slog.New(slog.NewTextHandler(&log, nil))
		s.Reopen()
		time.Sleep(time.Minute)
		check(t, os.Rename(dir+".away", dir))
		time.Sleep(5 * time.Minute)

		check(t, os.Rename(dir, dir+".away")) // only an index that is current can do without
		for e, err := range s.History(t.Context(), metalog.HistoryQuery{Entity: "topic/v009"}) {
			if err != nil || e.Type != "TopicCreated" {
				t.Errorf("%+v, %v", e, err)
			}
		}
		check(t, os.Rename(dir+".away", dir))
		s.MustClose()
		for _, want := range []string{"not mounted", "made anew"} {
			if !bytes.Contains(log.Bytes(), []byte(want)) {
				t.Errorf("no log of %q: %s", want, log.Bytes())
			}
		}
	})
}

// TestDamagedIndex: a row that is marked as a bucket, and leads beyond the file, does not
// end the program, and the answer is the right one.
func TestDamagedIndex(t *testing.T) {
	d := newDamagedIndex(t)
	damaged := 0
	for start := 0; start < len(d.whole); start += os.Getpagesize() {
		page := bytes.Clone(d.whole[start : start+os.Getpagesize()])
		if bucketInPage(page) {
			damaged++
			d.check(t, slices.Concat(d.whole[:start], page, d.whole[start+len(page):]))
		}
	}
	if damaged < 2 {
		t.Errorf("%d pages could be damaged", damaged)
	}
}

// TestRandomlyDamagedIndex: any bytes of the index are others.
func TestRandomlyDamagedIndex(t *testing.T) {
	d := newDamagedIndex(t)
	random := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		data := bytes.Clone(d.whole)
		for range 20 {
			data[2*os.Getpagesize()+random.IntN(1023)*16] ^= byte(1 + random.IntN(254)) // behind the meta pages
		}
		d.check(t, data)
	}
}

// damagedIndex is a closed store whose index of history is spoilt.
type damagedIndex struct {
	*storetest.Store
	whole []byte // the index
}

func newDamagedIndex(t *testing.T) damagedIndex {
	t.Helper()
	d := damagedIndex{Store: storetest.Open(t, func(o *metalog.Options) { o.MinFreeBytes, o.SnapshotEvery = -1, -1 })}
	addTopics(d.Store, "t", 50)
	d.checkHistory(t)
	d.MustClose()
	var err error
	d.whole, err = os.ReadFile(d.file())
	check(t, err)
	return d
}

func (d damagedIndex) file() string { return filepath.Join(d.Options.Path, "history.db") }

// check opens the store with other bytes as its index.
func (d damagedIndex) check(t *testing.T, index []byte) {
	t.Helper()
	check(t, os.WriteFile(d.file(), index, 0o600))
	d.Reopen()
	d.checkHistory(t)
	d.MustClose()
}

func (d damagedIndex) checkHistory(t *testing.T) {
	t.Helper()
	found := 0
	for e, err := range d.History(t.Context(), metalog.HistoryQuery{Entity: "topic/t007"}) {
		if check(t, err); e.Type == "TopicCreated" {
			found++
		}
	}
	if found != 1 {
		t.Errorf("the topic was created %d times", found)
	}
}

// bucketInPage makes a row of a leaf page of bbolt's a bucket with a root beyond the
// file. It reports whether there was a row with room for that.
func bucketInPage(page []byte) bool {
	const leaf, header, bucketHeader = 2, 16, 16
	flags, count := binary.NativeEndian.Uint16(page[8:]), binary.NativeEndian.Uint16(page[10:])
	if flags != leaf {
		return false
	}
	for i := range int(count) {
		row := page[header+16*i:] // flags, place, bytes of the key, bytes of the value
		if binary.NativeEndian.Uint32(row) != 0 || binary.NativeEndian.Uint32(row[12:]) < bucketHeader {
			continue
		}
		value := row[binary.NativeEndian.Uint32(row[4:])+binary.NativeEndian.Uint32(row[8:]):]
		binary.NativeEndian.PutUint32(row, 1)
		binary.NativeEndian.PutUint64(value, 0xa8ba5ba02)
		return true
	}
	return false
}
