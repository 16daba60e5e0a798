package metalog_test

import (
	"slices"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

func high(n int64) metalog.AdvanceWatermarks {
	return metalog.AdvanceWatermarks{Topic: "orders", High: &n}
}

func logStart(n int64) metalog.AdvanceWatermarks {
	return metalog.AdvanceWatermarks{Topic: "orders", LogStart: &n}
}

func TestWatermarksAdvance(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	createTopic(s, "orders", 1)
	both := high(10)
	both.LogStart = new(int64(4))
	done := s.Must(both)
	if got := types(s.Record(done.Seq)); !slices.Equal(got, []string{"HighWatermarkAdvanced", "LogStartOffsetAdvanced"}) {
		t.Errorf("record %v", got)
	}
	got := getPartition(t, s, 0)
	if got.HighWatermark != 10 || got.LogStartOffset != 4 || got.Revision != done.Seq {
		t.Errorf("%+v", got)
	}
	s.Unchanged(both)
	s.Must(logStart(10))
	checkRejections(t, s, map[string]rejection{
		"high goes back":       {cmd: high(9), want: metalog.ErrOutOfRange},
		"start goes back":      {cmd: logStart(9), want: metalog.ErrOutOfRange},
		"start beyond high":    {cmd: logStart(11), want: metalog.ErrOutOfRange},
		"negative high":        {cmd: high(-1), want: metalog.ErrInvalid},
		"negative start":       {cmd: logStart(-1), want: metalog.ErrInvalid},
		"neither":              {cmd: metalog.AdvanceWatermarks{Topic: "orders"}, want: metalog.ErrInvalid},
		"topic not there":      {cmd: metalog.AdvanceWatermarks{Topic: "nothing", High: new(int64(1))}, want: metalog.ErrNotFound},
		"partition not there":  {cmd: metalog.AdvanceWatermarks{Topic: "orders", Partition: 1, High: new(int64(1))}, want: metalog.ErrOutOfRange},
		"epoch of no leader":   {cmd: metalog.AdvanceWatermarks{Topic: "orders", High: new(int64(20)), LeaderEpoch: new(int32(1))}, want: metalog.ErrFenced},
		"high good, start not": {cmd: metalog.AdvanceWatermarks{Topic: "orders", High: new(int64(20)), LogStart: new(int64(21))}, want: metalog.ErrOutOfRange},
	})
}

// The high watermark goes back under a new leader epoch only, and under that one
// not again: not below what its leader has reported, even if that was no news.
func TestHighWatermarkAndLeaderEpoch(t *testing.T) {
	t.Parallel()
	s := openAssigned(t)
	s.Must(high(10))
	s.Refused(metalog.ErrOutOfRange, high(9))
	s.Must(metalog.ElectLeader{Topic: "orders", Leader: 2})
	s.Must(high(7))
	s.Refused(metalog.ErrOutOfRange, high(6))
	s.Must(metalog.ElectLeader{Topic: "orders", Leader: 1})
	s.Must(high(7))
	s.Unchanged(high(7))
	s.Refused(metalog.ErrOutOfRange, high(6))
	s.Must(logStart(7))
	s.Must(metalog.ElectLeader{Topic: "orders", Leader: 2})
	s.Refused(metalog.ErrOutOfRange, high(6)) // never below the log start offset
	stale := high(20)
	stale.LeaderEpoch = new(int32(1))
	s.Refused(metalog.ErrFenced, stale)
}

// Segments wholly below the log start offset go with it, of every kind.
func TestLogStartRemovesSegments(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	createTopic(s, "orders", 2)
	s.Must(segment("orders", 0, "gone", 0, 9))
	s.Must(metalog.AddSegment{Topic: "orders", SegmentInfo: metalog.SegmentInfo{ID: "gone-index", Kind: events.SegmentIndex, EndOffset: 9}})
	s.Must(segment("orders", 0, "cut", 5, 10))
	s.Must(segment("orders", 1, "other", 0, 9))
	s.Must(high(100))
	plan := mustPlan(t, s, logStart(10))
	done := s.Must(logStart(10))
	record := s.Record(done.Seq)
	if got := checkCascade(t, record); !slices.Equal(got, []string{"SegmentRemoved", "SegmentRemoved"}) {
		t.Errorf("derived %v", got)
	}
	comparePlan(t, plan, record)
	list, err := metalog.Collect(s.ListSegments(t.Context(), "orders", metalog.AllPartitions))
	if err != nil || segmentIDs(list) != "cut other" {
		t.Errorf("left: %s, %v", segmentIDs(list), err)
	}
	s.Refused(metalog.ErrNotFound, metalog.DeleteSegment{Topic: "orders", ID: "gone"})
}
