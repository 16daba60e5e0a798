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

func inSmallSegments(t *testing.T) func(*metalog.Options) {
	return func(o *metalog.Options) { o.SegmentSize, o.ArchiveTo = 4096, t.TempDir() }
}

// A record that was moved to the archive is undone as one in the log.
func TestUndoOfWhatIsArchived(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, inSmallSegments(t))
	catalogue(t, s)
	before := things(t, s, metalog.Point{})
	deleted := s.Must(metalog.DeleteTopic{Name: "orders"}).Seq
	for i := range 20 { // fills segments
		s.Must(metalog.SetConfig{Scope: scope(t, "cluster"), Config: events.Config{"filler": strings.Repeat("x", 1000+i)}})
	}
	s.Must(metalog.DeleteConfig{Scope: scope(t, "cluster")})
	if _, err := s.CreateSnapshot(t.Context()); err != nil { // else nothing may go
		t.Fatal(err)
	}
	if report, err := s.Archive(t.Context(), metalog.ArchiveOptions{}); err != nil || report.FirstSeq <= deleted {
		t.Fatalf("%+v, %v", report, err)
	}
	report := mustUndo(t, s, metalog.UndoOptions{Seq: deleted})
	checkBack(t, before, things(t, s, metalog.Point{}), report.UndoSummary)
}

// A record that was pruned can't be undone any more, nor one whose state before is
// gone.
func TestUndoOfWhatIsPruned(t *testing.T) {
	t.Parallel()
	opts := metalog.Options{Path: t.TempDir(), SweepInterval: -1}
	inSmallSegments(t)(&opts)
	s, err := metalog.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 20 {
		if _, err := s.CreateGroup(t.Context(), metalog.CreateGroup{ID: fmt.Sprint(i, strings.Repeat("x", 1000))}); err != nil {
			t.Fatal(err)
		}
	}
	snapshot, err := s.CreateSnapshot(t.Context())
	if err == nil {
		_, err = s.Archive(t.Context(), metalog.ArchiveOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.PruneArchive(t.Context(), metalog.PruneOptions{BeforeSnapshot: snapshot.Seq})
	if err != nil || report.FirstSeq < 3 {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, seq := range []uint64{2, report.FirstSeq} {
		if _, err := s.PlanUndo(t.Context(), metalog.UndoOptions{Seq: seq}); !errors.Is(err, metalog.ErrOutOfRange) {
			t.Errorf("undo of seq %d, with records from %d: %v, want out of range", seq, report.FirstSeq, err)
		}
	}
}
