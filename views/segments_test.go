package views

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/metalog/metalog/events"
)

func segment(topic events.Topic, p int32, id string, kind events.SegmentKind, start, end int64) events.Segment {
	return events.Segment{
		PartitionRef: events.PartitionRef{Topic: topic.Name, TopicID: topic.ID, Partition: p},
		SegmentInfo:  events.SegmentInfo{ID: id, Kind: kind, StartOffset: start, EndOffset: end},
	}
}

func segmentIDs(segments []events.Segment) (ids []string) {
	for _, s := range segments {
		ids = append(ids, s.ID)
	}
	return ids
}

func TestSegments(t *testing.T) {
	_, tx := mustOpen(t)
	topic := putTopic(t, tx, 1, "orders")
	for _, s := range []events.Segment{
		segment(topic, 1, "p1", events.SegmentLog, 0, 9),
		segment(topic, 0, "c", events.SegmentLog, 20, 29),
		segment(topic, 0, "index", events.SegmentIndex, 0, 29),
		segment(topic, 0, "a", events.SegmentLog, 0, 9),
		segment(topic, 0, "b", events.SegmentLog, 10, 19),
	} {
		must(t, tx.PutSegment(s))
	}
	commit(t, tx)
	tests := []struct {
		name      string
		logStart  int64
		partition int32
		want      []string
		below     []string
	}{
		{"one partition", 0, 0, []string{"a", "b", "c", "index"}, nil},
		{"all", 0, AllPartitions, []string{"a", "b", "c", "index", "p1"}, nil},
		{"log start at a border", 10, AllPartitions, []string{"b", "c", "index", "p1"}, []string{"a"}},
		{"log start inside", 15, 0, []string{"b", "c", "index"}, []string{"a"}},
		{"log start beyond", 30, 0, nil, []string{"a", "b", "c", "index"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			must(t, tx.PutWatermarks(topic.ID, 0, Watermarks{LogStartOffset: test.logStart}))
			if got := segmentIDs(all(t, tx.Segments(topic.ID, test.partition))); !slices.Equal(got, test.want) {
				t.Errorf("segments %v, want %v", got, test.want)
			}
			if got := segmentIDs(all(t, tx.SegmentsBelow(topic.ID, 0, test.logStart))); !slices.Equal(got, test.below) {
				t.Errorf("below: %v, want %v", got, test.below)
			}
		})
	}
	if _, err := tx.FindSegment(topic.ID, 0, events.SegmentLog, 29); !errors.Is(err, events.ErrOutOfRange) {
		t.Errorf("below the log start offset: %v", err)
	}
	if _, err := tx.Segment(topic.ID, "none"); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("unknown id: %v", err)
	}
	if err := tx.DeleteSegment(topic.ID, "none"); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("delete of what is not there: %v", err)
	}
}

// TestFindSegment puts and deletes segments with ranges that overlap at random,
// and compares each look-up with a search through all of them.
func TestFindSegment(t *testing.T) {
	_, tx := mustOpen(t)
	topic := putTopic(t, tx, 1, "orders")
	rapid.Check(t, func(rt *rapid.T) {
		for _, left := range all(t, tx.AllSegments(topic.ID)) {
			must(t, tx.DeleteSegment(topic.ID, left.ID))
		}
		now := map[string]events.Segment{}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			name := rapid.StringMatching(`[a-h]`).Draw(rt, "id")
			if _, there := now[name]; there && rapid.Bool().Draw(rt, "delete") {
				must(t, tx.DeleteSegment(topic.ID, name))
				delete(now, name)
				continue
			}
			start := rapid.Int64Range(0, 20).Draw(rt, "start")
			now[name] = segment(topic, 0, name, events.SegmentLog, start, start+rapid.Int64Range(0, 9).Draw(rt, "length"))
			must(t, tx.PutSegment(now[name]))
		}
		for offset := range int64(32) {
			checkFind(rt, tx, topic, now, offset)
		}
	})
	commit(t, tx)
}

func checkFind(t *rapid.T, tx *Tx, topic events.Topic, now map[string]events.Segment, offset int64) {
	best := int64(-1)
	for _, s := range now {
		if s.Holds(offset) {
			best = max(best, s.StartOffset)
		}
	}
	got, err := tx.FindSegment(topic.ID, 0, events.SegmentLog, offset)
	switch {
	case best < 0 && errors.Is(err, events.ErrNotFound):
	case best >= 0 && err == nil && got.StartOffset == best && got.Holds(offset):
	default:
		t.Fatalf("offset %d: found %+v, %v; the best starts at %d", offset, got.SegmentInfo, err, best)
	}
}
