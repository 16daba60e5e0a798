package model

import (
	"cmp"
	"maps"
	"slices"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

var segmentKinds = []string{string(events.SegmentLog), string(events.SegmentLog), string(events.SegmentIndex)}

func (r *run) segmentID() string { return r.pick("segment", "1", "2", "3", "4") }

func (r *run) newSegment(id string) metalog.SegmentInfo {
	start := r.number("start", 30)
	return metalog.SegmentInfo{
		ID: id, Kind: events.SegmentKind(r.pick("kind", segmentKinds...)), StartOffset: start, EndOffset: start + r.number("length", 20),
		SizeBytes: r.number("size", 9), Path: "p" + id, Attributes: r.someConfig(),
	}
}

func (r *run) segmentStep() {
	name, id, p := r.topicName(), r.segmentID(), r.partitionNumber()
	switch t := r.model.topics[name]; r.pick("how", "add", "add", "add", "compact", "delete") {
	case "add":
		r.addSegment(t, metalog.AddSegment{Topic: name, Partition: p, SegmentInfo: r.newSegment(id)})
	case "compact":
		r.compactSegments(t, metalog.CompactSegments{
			Topic: name, Partition: p, Removed: []string{id}, Added: []metalog.SegmentInfo{r.newSegment(r.segmentID())},
		})
	case "delete":
		cmd := metalog.DeleteSegment{Topic: name, ID: id}
		if s := t.segment(id); r.doAt(cmd, t.exists(), revisionOf(s), firstOf(s == nil, metalog.ErrNotFound)) {
			delete(t.segments, id)
		}
	}
}

func (t *topic) segment(id string) *events.Segment {
	if t == nil {
		return nil
	}
	return t.segments[id]
}

func revisionOf(s *events.Segment) uint64 {
	if s == nil {
		return 0
	}
	return s.Revision
}

// below reports whether a segment lies where the partition's data is gone.
func (t *topic) below(p int32, s metalog.SegmentInfo) bool {
	return s.EndOffset < t.partitions[p].LogStartOffset
}

func (r *run) addSegment(t *topic, cmd metalog.AddSegment) {
	before, existing := t.has(cmd.Partition), t.segment(cmd.ID)
	after := firstOf(existing != nil, metalog.ErrAlreadyExists, before == nil && t.below(cmd.Partition, cmd.SegmentInfo), metalog.ErrOutOfRange)
	if r.doAt(cmd, before, revisionOf(existing), after) {
		r.model.addSegment(t, cmd.Partition, cmd.SegmentInfo)
	}
}

func (m *model) addSegment(t *topic, p int32, info metalog.SegmentInfo) {
	t.segments[info.ID] = &events.Segment{
		PartitionRef: t.partitions[p].PartitionRef, SegmentInfo: events.SegmentInfo(info), CreatedAt: m.at.Time, Revision: m.at.Seq,
	}
}

func (r *run) compactSegments(t *topic, cmd metalog.CompactSegments) {
	want := t.has(cmd.Partition)
	if old, added := t.segment(cmd.Removed[0]), cmd.Added[0]; want == nil {
		want = firstOf(old == nil, metalog.ErrNotFound, old != nil && old.Partition != cmd.Partition, metalog.ErrInvalid,
			added.ID != cmd.Removed[0] && t.segment(added.ID) != nil, metalog.ErrAlreadyExists, t.below(cmd.Partition, added), metalog.ErrOutOfRange)
	}
	if r.do(cmd, want) {
		delete(t.segments, cmd.Removed[0])
		r.model.addSegment(t, cmd.Partition, cmd.Added[0])
	}
}

func (r *run) compareSegments(t *topic) {
	ctx := r.tb.Context()
	got, err := metalog.Collect(r.ListSegments(ctx, t.Name, metalog.AllPartitions))
	slices.SortFunc(got, func(a, b events.Segment) int { return cmp.Compare(a.ID, b.ID) })
	r.check(err, got, sorted(t.segments))
	for id, want := range t.segments {
		got, err := r.GetSegment(ctx, t.Name, id)
		r.check(err, got, want)
	}
	for _, p := range t.partitions {
		got, err := metalog.Collect(r.ListSegments(ctx, t.Name, p.PartitionRef.Partition))
		slices.SortFunc(got, func(a, b events.Segment) int { return cmp.Compare(a.ID, b.ID) })
		r.check(err, got, sorted(t.segmentsOf(p)))
		r.compareFound(t, p, 25)
	}
}

func (t *topic) segmentsOf(p *partition) map[string]*events.Segment {
	of := maps.Clone(t.segments)
	maps.DeleteFunc(of, func(_ string, s *events.Segment) bool { return s.Partition != p.PartitionRef.Partition })
	return of
}

// compareFound looks an offset up: of the log segments that hold it, one with
// the greatest start is found.
func (r *run) compareFound(t *topic, p *partition, offset int64) {
	start := int64(-1)
	for _, s := range t.segmentsOf(p) {
		if s.Kind == events.SegmentLog && s.Holds(offset) {
			start = max(start, s.StartOffset)
		}
	}
	got, err := r.FindSegment(r.tb.Context(), t.Name, p.PartitionRef.Partition, offset)
	switch {
	case offset < p.LogStartOffset:
		r.refused(err, metalog.ErrOutOfRange)
	case start < 0:
		r.refused(err, metalog.ErrNotFound)
	default:
		r.check(err, []any{got.Holds(offset), got.StartOffset}, []any{true, start})
		r.check(nil, got, t.segments[got.ID])
	}
}
