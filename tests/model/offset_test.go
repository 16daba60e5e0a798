package model

import (
	"cmp"
	"maps"
	"slices"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

type position struct {
	topic     *topic
	partition int32
}

func comparePositions(a, b position) int {
	return cmp.Or(compareIDs(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}

func (g *group) ref(at position) events.OffsetRef {
	return events.OffsetRef{Group: g.ID, GroupID: g.GroupID, Topic: at.topic.Name, TopicID: at.topic.ID, Partition: at.partition}
}

func (m *model) putOffset(g *group, at position, info events.OffsetInfo) {
	g.offsets[at] = &events.Offset{OffsetRef: g.ref(at), OffsetInfo: info, CommittedAt: m.at.Time, Revision: m.at.Seq}
}

// offset returns a group's offset, or nil.
func (g *group) offset(t *topic, p int32) *events.Offset {
	if g == nil || t == nil {
		return nil
	}
	return g.offsets[position{t, p}]
}

func (g *group) offsetRevision(t *topic, p int32) uint64 {
	if o := g.offset(t, p); o != nil {
		return o.Revision
	}
	return 0
}

// commits draws one offset or two to commit to a topic, and returns the error for
// what can't be committed.
func (r *run) commits(t *topic, name string) ([]metalog.OffsetCommit, error) {
	id, right := r.topicID(t)
	want := firstOf(t == nil || !right, metalog.ErrNotFound)
	var list []metalog.OffsetCommit
	for range 1 + r.number("more offsets", 1) {
		p := r.partitionNumber()
		want = firstOf(want != nil, want, t.has(p) != nil, t.has(p))
		list = append(list, metalog.OffsetCommit{
			Topic: name, TopicID: id, Partition: p, Offset: r.number("offset", 100), LeaderEpoch: ptr(int32(r.number("leader epoch", 2))), Metadata: r.pick("metadata", "", "m"),
		})
	}
	return list, want
}

func infoOf(o metalog.OffsetCommit) events.OffsetInfo {
	return events.OffsetInfo{Offset: o.Offset, LeaderEpoch: *o.LeaderEpoch, Metadata: o.Metadata}
}

// committer draws who commits, and returns the error for one who may not: only
// members of the present generation may while there are members.
func (r *run) committer(g *group) (generation *int32, member string, want error) {
	if g != nil && len(g.Members) > 0 && !r.oneIn(4, "stranger") {
		generation, member = ptr(g.Generation), g.Members[0].ID
	} else if r.oneIn(4, "claims to be a member") {
		generation, member = ptr(int32(r.number("generation", 3))), r.pick("member", "", "m1", "m2")
	}
	if g == nil {
		return generation, member, metalog.ErrNotFound
	}
	return generation, member, firstOf(g.State == events.GroupDead, metalog.ErrConflict,
		generation == nil && len(g.Members) > 0, metalog.ErrFenced,
		generation != nil && (*generation != g.Generation || !g.has(member)), metalog.ErrFenced)
}

func (r *run) commitStep() {
	name, id := r.topicName(), r.groupName()
	t, g := r.model.topics[name], r.model.groups[id]
	offsets, after := r.commits(t, name)
	generation, member, before := r.committer(g)
	cmd := metalog.CommitOffsets{Group: id, Offsets: offsets, Generation: generation, MemberID: member}
	var done bool
	if len(offsets) == 1 {
		done = r.doAt(cmd, before, g.offsetRevision(t, offsets[0].Partition), after)
	} else {
		done = r.do(cmd, firstOf(before != nil, before, after != nil, after))
	}
	for _, o := range offsets {
		if done {
			r.model.putOffset(g, position{t, o.Partition}, infoOf(o))
		}
	}
}

func (r *run) offsetStep() {
	name, id, p := r.topicName(), r.groupName(), r.partitionNumber()
	t, g := r.model.topics[name], r.model.groups[id]
	idle := g.idle()
	if idle == nil {
		idle = t.exists()
	}
	switch r.pick("how", "reset", "reset", "delete", "delete all", "expire") {
	case "reset":
		r.resetOffsets(g, t, metalog.ResetOffsets{Group: id, Topic: name}, idle)
	case "delete":
		cmd := metalog.DeleteOffsets{Group: id, Topic: name, Partition: &p}
		if r.doAt(cmd, idle, g.offsetRevision(t, p), firstOf(g.offset(t, p) == nil, metalog.ErrNotFound)) {
			delete(g.offsets, position{t, p})
		}
	case "delete all":
		inTopic := func(at position, _ *events.Offset) bool { return at.topic == t }
		if r.do(metalog.DeleteOffsets{Group: id, Topic: name}, firstOf(idle != nil, idle, !g.any(inTopic), errUnchanged)) {
			maps.DeleteFunc(g.offsets, inTopic)
		}
	case "expire":
		r.expireOffsets(g, id)
	}
}

// any reports whether there is an offset of that kind.
func (g *group) any(of func(position, *events.Offset) bool) bool {
	if g != nil {
		for at, o := range g.offsets {
			if of(at, o) {
				return true
			}
		}
	}
	return false
}

func (r *run) expireOffsets(g *group, id string) {
	before := one(r, "before", r.notes[max(0, len(r.notes)-50):]).Time
	old := func(_ position, o *events.Offset) bool { return o.CommittedAt < before }
	nothing := g != nil && (len(g.Members) > 0 || !g.any(old))
	if r.do(metalog.ExpireOffsets{Group: id, Before: before}, firstOf(g == nil, metalog.ErrNotFound, nothing, errUnchanged)) {
		maps.DeleteFunc(g.offsets, old)
	}
}

// resetOffsets moves a group in the partitions of a topic that are drawn.
func (r *run) resetOffsets(g *group, t *topic, cmd metalog.ResetOffsets, want error) {
	how, by := r.pick("reset", "to", "earliest", "latest", "shift"), r.number("by", 60)
	switch how {
	case "to":
		cmd.ToOffset = &by
	case "shift":
		cmd.ShiftBy = ptr(by - 30)
	}
	cmd.ToEarliest, cmd.ToLatest = how == "earliest", how == "latest"
	if r.chance("one partition") {
		cmd.Partitions = []int32{r.partitionNumber()}
		want = firstOf(want != nil, want, t.has(cmd.Partitions[0]) != nil, t.has(cmd.Partitions[0]))
	}
	moves := map[position]int64{}
	if want == nil && cmd.ToLatest && t.unmarked(cmd.Partitions) {
		want = metalog.ErrOutOfRange
	}
	if want == nil {
		moves = g.moves(t, cmd)
		want = firstOf(len(moves) == 0, errUnchanged)
	}
	if r.do(cmd, want) {
		for at, to := range moves {
			r.model.putOffset(g, at, events.OffsetInfo{Offset: to, LeaderEpoch: -1})
		}
	}
}

// moves returns where a reset goes, within the marks of partitions that have any.
func (g *group) moves(t *topic, cmd metalog.ResetOffsets) map[position]int64 {
	moves := map[position]int64{}
	for n, p := range t.partitions {
		at := position{t, int32(n)}
		committed := g.offsets[at]
		if len(cmd.Partitions) > 0 && cmd.Partitions[0] != at.partition || cmd.ShiftBy != nil && committed == nil {
			continue
		}
		to := p.LogStartOffset
		switch {
		case cmd.ToOffset != nil:
			to = *cmd.ToOffset
		case cmd.ToLatest:
			to = p.HighWatermark
		case cmd.ShiftBy != nil:
			to = max(committed.Offset+*cmd.ShiftBy, 0)
		}
		if p.marked != 0 {
			to = min(max(to, p.LogStartOffset), p.HighWatermark)
		}
		if committed == nil || committed.Offset != to {
			moves[at] = to
		}
	}
	return moves
}

func (r *run) compareOffsets(g *group) {
	ctx := r.tb.Context()
	want := []*events.Offset{}
	for _, at := range slices.SortedFunc(maps.Keys(g.offsets), comparePositions) {
		want = append(want, g.offsets[at])
		got, err := r.GetOffset(ctx, g.ID, at.topic.Name, at.partition)
		r.check(err, got, g.offsets[at])
	}
	got, err := metalog.Collect(r.ListOffsets(ctx, g.ID))
	r.check(err, got, want)
}

// compareTopicOffsets compares what all groups have committed for a topic.
func (r *run) compareTopicOffsets(t *topic) {
	want := []*events.Offset{}
	for _, g := range slices.SortedFunc(maps.Values(r.model.groups), compareNumbers) {
		for p := range t.Partitions {
			if o := g.offset(t, p); o != nil {
				want = append(want, o)
			}
		}
	}
	got, err := metalog.Collect(r.ListTopicOffsets(r.tb.Context(), t.Name))
	r.check(err, got, want)
}

func compareNumbers(a, b *group) int { return cmp.Compare(a.GroupID, b.GroupID) }

// unmarked reports whether one of the partitions, all if none is named, has no
// watermarks.
func (t *topic) unmarked(partitions []int32) bool {
	for i, p := range t.partitions {
		if p.marked == 0 && (len(partitions) == 0 || partitions[0] == int32(i)) {
			return true
		}
	}
	return false
}
