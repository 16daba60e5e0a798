package metalog_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// openDeleted opens a store with an archive, small segments, a topic that was deleted
// and much that came after it.
func openDeleted(t *testing.T) *storetest.Store {
	t.Helper()
	s := storetest.Open(t, func(o *metalog.Options) { o.ArchiveTo, o.SegmentSize = t.TempDir(), 4096 })
	for _, cmd := range []metalog.Command{
		broker(1),
		metalog.CreateTopic{Name: "orders", Partitions: 1, ReplicationFactor: 1, Assignments: []metalog.TopicAssignment{{Replicas: events.BrokerIDs{1}}}},
		segment("orders", 0, "s", 0, 9), metalog.CreateGroup{ID: "g"}, commit("g", "orders", 0, 5), metalog.DeleteTopic{Name: "orders"},
	} {
		s.Must(cmd)
	}
	for i := range 20 {
		s.Must(metalog.CreateGroup{ID: fmt.Sprint(i, strings.Repeat("x", 1000))})
	}
	return s
}

// archive moves to the archive what can be.
func archive(t *testing.T, s *storetest.Store) (snapshot, first uint64) {
	t.Helper()
	snap, err := s.CreateSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.Archive(t.Context(), metalog.ArchiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return snap.Seq, report.FirstSeq
}

// A record that was moved to the archive is undone as one in the log.
func TestUndoOfWhatIsArchived(t *testing.T) {
	t.Parallel()
	s := openDeleted(t)
	const deleted = 7
	if _, first := archive(t, s); first <= deleted {
		t.Fatalf("the log still begins at seq %d", first)
	}
	before := things(t, s, metalog.Point{Seq: deleted - 1})
	report, err := s.Undo(t.Context(), metalog.UndoOptions{Seq: deleted})
	if err != nil {
		t.Fatal(err)
	}
	now := things(t, s, metalog.Point{})
	for name := range now {
		if strings.HasPrefix(name, "group ") && before[name].Kind == "" {
			delete(now, name) // it came later
		}
	}
	checkBack(t, before, now, report.UndoSummary)
}

// A record that was pruned can't be undone any more, nor one whose state before is
// gone.
func TestUndoOfWhatIsPruned(t *testing.T) {
	t.Parallel()
	s := openDeleted(t)
	snapshot, _ := archive(t, s)
	report, err := s.PruneArchive(t.Context(), metalog.PruneOptions{BeforeSnapshot: snapshot})
	if err != nil || report.FirstSeq < 3 {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, seq := range []uint64{2, report.FirstSeq} {
		if _, err := s.PlanUndo(t.Context(), metalog.UndoOptions{Seq: seq}); !errors.Is(err, metalog.ErrOutOfRange) {
			t.Errorf("undo of seq %d, with records from %d: %v, want out of range", seq, report.FirstSeq, err)
		}
	}
}
