package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/benchlog"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// Of BenchmarkGrowthFile.
const (
	overwriteGroup = 64     // commits
	overwriteFlush = 60_000 // commits between flushes at most: about a second of them
	commandEvery   = 10     // commits: one has a command id
)

// BenchmarkGrowthFile commits so many offsets again and again, b.N times in all, with
// flushes as a busy store has them, and compares the views' file with one that holds
// the same and nothing else. First each is committed, group by group as consumers that
// join commit theirs, or in no order. A day's worth is -benchtime 20000000x.
func BenchmarkGrowthFile(b *testing.B) {
	for _, rows := range []int{50_000, 1_000_000, 10_000_000} {
		for _, first := range []string{"groups", "random"} {
			if rows > 50_000 && testing.Short() || rows > 1_000_000 && first == "random" {
				continue // takes minutes, a quarter of an hour
			}
			b.Run(fmt.Sprintf("rows=%d/first=%s", rows, first), func(b *testing.B) { growthFile(b, rows/rowsOfGroup, first == "groups") })
		}
	}
}

// BenchmarkGrowthStoreFile is that with a store and 64 clients, which commit offsets at
// random as fast as they can, or 5,000 a second.
func BenchmarkGrowthStoreFile(b *testing.B) {
	for _, rows := range []int{50_000, 200_000, 500_000, 1_000_000, 10_000_000} {
		if rows > 1_000_000 && testing.Short() {
			continue // its store takes minutes
		}
		for _, perSecond := range []int{0, 5_000} {
			b.Run(fmt.Sprintf("rows=%d/rate=%d", rows, perSecond), func(b *testing.B) {
				dir := rowsDir(b, rows)
				path := filepath.Join(dir, replay.ViewsFile)
				s := openRowsIn(b, dir, metalog.Options{})
				growthCommit(b, s, load{rows, 64, b.N, perSecond})
				size := fileMB(b, path)
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(size/compactedMB(b, path), "ratio")
			})
		}
	}
}

func growthFile(b *testing.B, groups int, inOrder bool) {
	path := filepath.Join(b.TempDir(), "views.db")
	db, err := views.Open(views.Options{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	w := &overwriter{b: b, path: path, db: db, tx: db.Writer(), random: rand.New(rand.NewPCG(1, 2)), groups: groups}
	if err := w.tx.Begin(); err != nil {
		b.Fatal(err)
	}
	w.begin()
	all := rand.Perm(groups * rowsOfGroup)
	if inOrder {
		slices.Sort(all)
	}
	for n, row := range all {
		w.commit(row)
		w.flush(n)
	}
	w.largest = 0
	b.ResetTimer()
	for n := range b.N {
		w.commit(w.random.IntN(len(all)))
		w.flush(n)
	}
	b.StopTimer()
	if err := w.flushAll(); err != nil {
		b.Fatal(err)
	}
	if err := w.tx.Release(); err != nil {
		b.Fatal(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	size, compacted := fileMB(b, path), compactedMB(b, path)
	b.ReportMetric(size, "MB")
	b.ReportMetric(compacted, "compacted-MB")
	b.ReportMetric(size/compacted, "ratio")
	b.ReportMetric(w.largest/compacted, "largest-ratio")
}

// overwriter applies records that are in no log.
type overwriter struct {
	b       *testing.B
	path    string
	db      *views.DB
	tx      *views.Tx
	random  *rand.Rand
	groups  int
	topic   events.TopicRef
	largest float64 // the file after a flush, in MB
}

func (w *overwriter) begin() {
	w.topic = events.TopicRef{Name: "orders", ID: uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")}
	w.apply("", &events.EpochStarted{LogID: w.topic.ID, Epoch: 1, CommandWindow: 262_144})
	w.apply("", &events.TopicCreated{TopicRef: w.topic, Partitions: rowsOfGroup, ReplicationFactor: 1})
	for n := range w.groups {
		w.apply("", &events.GroupCreated{GroupRef: w.group(n), GroupInfo: events.GroupInfo{State: events.GroupEmpty}})
	}
}

// group is numbered by the seq of its record, as groups are.
func (w *overwriter) group(n int) events.GroupRef {
	return events.GroupRef{ID: benchlog.Group(n), GroupID: uint64(n) + 3}
}

// flush is called after the nth commit.
func (w *overwriter) flush(n int) {
	var err error
	switch {
	case n%overwriteFlush == 0:
		if err = w.flushAll(); n > 0 {
			w.largest = max(w.largest, fileMB(w.b, w.path))
		}
	case n%overwriteGroup == 0:
		err = w.tx.Commit(w.b.Context())
	}
	if err != nil {
		w.b.Fatal(err)
	}
}

// flushAll is what a store does when rows have waited for a second.
func (w *overwriter) flushAll() error {
	state, err := w.tx.Seal(true)
	if err != nil {
		return err
	}
	w.db.Publish(state)
	if err := w.db.Flush(w.b.Context()); err != nil {
		return err
	}
	return w.tx.Begin()
}

func (w *overwriter) commit(row int) {
	group, id := w.group(row/rowsOfGroup), ""
	seq := w.tx.Seq() + 1
	if seq%commandEvery == 0 {
		id = fmt.Sprintf("command-%d", seq)
	}
	w.apply(id, &events.OffsetCommitted{
		OffsetRef: events.OffsetRef{
			Group: group.ID, GroupID: group.GroupID, Topic: w.topic.Name, TopicID: w.topic.ID, Partition: int32(row % rowsOfGroup),
		},
		OffsetInfo: events.OffsetInfo{Offset: int64(seq)},
	})
}

func (w *overwriter) apply(id string, event events.Event) {
	seq := w.tx.Seq() + 1
	rec := &events.Record{Seq: seq, Time: events.Time(seq), Facts: []events.Fact{{Event: event, Cause: events.NoCause}}}
	if id != "" {
		rec.Meta.CommandID, rec.Meta.CommandHash = id, make([]byte, 32)
	}
	if err := projector.Apply(w.tx, rec); err != nil {
		w.b.Fatal(err)
	}
}

func fileMB(b *testing.B, path string) float64 {
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Size()) / 1e6
}

// compactedMB is the size of a copy that bbolt has compacted.
func compactedMB(b *testing.B, path string) float64 {
	from, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		b.Fatal(err)
	}
	defer from.Close()
	compacted := filepath.Join(b.TempDir(), "compacted.db")
	to, err := bbolt.Open(compacted, 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	to.AllocSize = os.Getpagesize() // no more than it needs
	if err := bbolt.Compact(to, from, 64<<10); err != nil {
		b.Fatal(err)
	}
	if err := to.Close(); err != nil {
		b.Fatal(err)
	}
	return fileMB(b, compacted)
}
