package metalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// fillTopic creates a topic with so many segments and so many partitions, each with
// an offset of two groups.
func fillTopic(s *storetest.Store, name string, segments int, partitions int32) {
	registerBrokers(s, 1)
	create := metalog.CreateTopic{Name: name, Partitions: partitions, ReplicationFactor: 1}
	for range partitions {
		create.Assignments = append(create.Assignments, metalog.TopicAssignment{Replicas: events.BrokerIDs{1}})
	}
	s.Must(create)
	last := "first"
	s.Must(segment(name, 0, last, 0, 9))
	for added := 0; added < segments; {
		compact := metalog.CompactSegments{Topic: name, Removed: []string{last}}
		for range min(600, segments-added) {
			added++
			last = fmt.Sprintf("s%05d", added)
			compact.Added = append(compact.Added, metalog.SegmentInfo{
				ID: last, StartOffset: int64(added) * 10, EndOffset: int64(added)*10 + 9, Path: strings.Repeat("x", 600),
			})
		}
		s.Must(compact)
	}
	for _, group := range []string{"g", "h"} {
		s.Must(metalog.CreateGroup{ID: group})
		commit := metalog.CommitOffsets{Group: group}
		for p := range partitions {
			commit.Offsets = append(commit.Offsets, metalog.OffsetCommit{Topic: name, Partition: p, Offset: int64(p), Metadata: "m"})
		}
		s.Must(commit)
	}
}

// What a cascade of several records took comes back in several records. When that
// is interrupted, the undo goes on with what is missing, and once it is through it
// changes nothing.
func TestUndoOfALargeCascade(t *testing.T) {
	t.Parallel()
	for interrupted := range 3 {
		t.Run(fmt.Sprint("after ", interrupted), func(t *testing.T) {
			t.Parallel()
			s := storetest.Open(t)
			fillTopic(s, "large", 3000, 100)
			before := things(t, s, metalog.Point{})
			seq := s.Must(metalog.DeleteTopic{Name: "large"}).Seq
			waitForCascades(t, s)

			parts := s.Seq()
			if err := s.UndoPartly(t.Context(), metalog.UndoOptions{Seq: seq}, interrupted, func() {}); err != nil {
				t.Fatal(err)
			}
			checkNobodyLeads(t, s, "large")
			s.Reopen()
			report := mustUndoRest(t, s, metalog.UndoOptions{Seq: seq})
			if len(report.UndoneBy) != interrupted || len(report.Results)+interrupted < 3 {
				t.Errorf("undone by %v, then by %d records", report.UndoneBy, len(report.Results))
			}
			checkBack(t, before, things(t, s, metalog.Point{}), wholeReport(t, s, seq, report))

			again, err := s.Undo(t.Context(), metalog.UndoOptions{Seq: seq})
			if err != nil || len(again.Results) != 0 || len(again.UndoneBy) != int(s.Seq()-parts) {
				t.Errorf("again: %+v, %v", again, err)
			}
			notUndone(t, s, metalog.UndoOptions{Seq: s.Seq()}, metalog.ErrInvalid, fmt.Sprintf("it carries on with the undo of seq %d", seq))
			checkUndoOfUndo(t, s, seq, again.UndoneBy)
		})
	}
}

// What an undo has brought back is not brought back again by what goes on with it,
// and what others do to the rest in between is in conflict.
func TestUndoThatGoesOnAfterOthers(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	fillTopic(s, "large", 3000, 100)
	seq := s.Must(metalog.DeleteTopic{Name: "large"}).Seq
	waitForCascades(t, s)
	if err := s.UndoPartly(t.Context(), metalog.UndoOptions{Seq: seq}, 1, func() {}); err != nil {
		t.Fatal(err)
	}
	s.Must(metalog.DeleteSegment{Topic: "large", ID: "s00001"})
	assigned := s.Must(metalog.AssignPartition{Topic: "large", Partition: 7, Replicas: events.BrokerIDs{1}}).Seq
	notUndone(t, s, metalog.UndoOptions{Seq: seq}, metalog.ErrConflict, fmt.Sprintf(`topic "large", partition 7: changed since, by seq %d (PartitionAssigned)`, assigned))
	mustUndoRest(t, s, metalog.UndoOptions{Seq: seq, Force: true})
	segments, err := metalog.Collect(s.ListSegments(t.Context(), "large", metalog.AllPartitions))
	if err != nil || len(segments) != 2995 || segments[0].ID != "s00002" {
		t.Errorf("%d segments, %v", len(segments), err)
	}
}

// mustUndoRest undoes what an earlier undo left.
func mustUndoRest(t *testing.T, s *storetest.Store, opts metalog.UndoOptions) metalog.UndoReport {
	t.Helper()
	report, err := s.Undo(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// wholeReport adds to a report on the rest of an undo what its first part made
// differ.
func wholeReport(t *testing.T, s *storetest.Store, seq uint64, report metalog.UndoReport) metalog.UndoSummary {
	t.Helper()
	for _, field := range mustDiffer {
		var d metalog.UndoDifference
		if _, err := fmt.Sscan(field, &d.Kind, &d.Field); err != nil {
			t.Fatal(err)
		}
		if d.Kind != "assignment" || d.Field == "revision" || d.Field == "topic_id" {
			report.Differs = append(report.Differs, d)
		}
	}
	return report.UndoSummary
}

// checkNobodyLeads checks that no partition of a topic that is not back as a whole
// can be written to or read from.
func checkNobodyLeads(t *testing.T, s *storetest.Store, topic string) {
	t.Helper()
	if _, err := s.GetTopic(t.Context(), topic); err != nil {
		return
	}
	list, err := metalog.Collect(s.ListPartitions(t.Context(), topic))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.Leader != events.NoLeader {
			t.Fatalf("partition %d has leader %d", p.Partition, p.Leader)
		}
	}
}

// checkUndoOfUndo undoes an undo, which then can't be asked for again, and undoes
// that.
func checkUndoOfUndo(t *testing.T, s *storetest.Store, seq uint64, undo []uint64) {
	t.Helper()
	back := things(t, s, metalog.Point{})
	gone := mustUndoRest(t, s, metalog.UndoOptions{Seq: undo[0]})
	if _, err := s.GetTopic(t.Context(), "large"); err == nil || gone.Undoes.Records != len(undo) {
		t.Errorf("it is still there: %v, %+v", err, gone.Undoes)
	}
	waitForCascades(t, s)
	notUndone(t, s, metalog.UndoOptions{Seq: seq}, metalog.ErrConflict, fmt.Sprintf("it was undone by seq %d: and that by seq %d; undo that one", undo[0], gone.Results[0].Seq))
	report := mustUndoRest(t, s, metalog.UndoOptions{Seq: gone.Results[0].Seq})
	checkBack(t, back, things(t, s, metalog.Point{}), report.UndoSummary)
}

// A record that carries on with a cascade is not undone by itself, nor is a cascade
// that has not ended.
func TestUndoOfAPartOfACascade(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	fillTopic(s, "large", 10, 2200)
	seq := s.Must(metalog.DeleteTopic{Name: "large"}).Seq
	waitForCascades(t, s)
	notUndone(t, s, metalog.UndoOptions{Seq: seq + 1}, metalog.ErrInvalid, fmt.Sprintf("it carries on with the cascade of seq %d; undo that one", seq))
}

// A topic that an undo has to take away may be large as well: the cascade goes on
// in further records.
func TestUndoOfACreationThatWasFilled(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	fillTopic(s, "large", 10, 2200)
	created := uint64(3)
	notUndone(t, s, metalog.UndoOptions{Seq: created}, metalog.ErrConflict, `topic "large": changed since`)
	report := mustUndoRest(t, s, metalog.UndoOptions{Seq: created, Force: true})
	if !report.Results[0].Continues {
		t.Errorf("%+v", report.Results)
	}
	waitForCascades(t, s)
	if _, err := s.GetTopic(t.Context(), "large"); err == nil {
		t.Error("it is still there")
	}
}
