package metalog_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

func openWithGroup(t *testing.T, partitions int32) *storetest.Store {
	t.Helper()
	s := storetest.Open(t)
	createTopic(s, "orders", partitions)
	s.Must(metalog.CreateGroup{ID: "g"})
	return s
}

func getOffset(t *testing.T, s metalog.Reader, p int32) events.Offset {
	t.Helper()
	got, err := s.GetOffset(t.Context(), "g", "orders", p)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestOffsetCommitGetOverwrite(t *testing.T) {
	t.Parallel()
	s := openWithGroup(t, 2)
	first := s.Must(metalog.CommitOffsets{Group: "g", Offsets: []metalog.OffsetCommit{
		{Topic: "orders", Partition: 0, Offset: 5, Metadata: "note", LeaderEpoch: new(int32(3))},
		{Topic: "orders", Partition: 1, Offset: 7},
	}})
	if got := types(s.Record(first.Seq)); !slices.Equal(got, []string{"OffsetCommitted", "OffsetCommitted"}) {
		t.Errorf("record %v", got)
	}
	if got := getOffset(t, s, 0); got.Offset != 5 || got.Metadata != "note" || got.LeaderEpoch != 3 || got.CommittedAt != first.Time || got.Revision != first.Seq {
		t.Errorf("%+v", got)
	}
	if got := getOffset(t, s, 1); got.Offset != 7 || got.Metadata != "" || got.LeaderEpoch != -1 {
		t.Errorf("%+v", got)
	}
	s.Must(commit("g", "orders", 0, 3)) // a commit may go back
	if got := getOffset(t, s, 0); got.Offset != 3 || got.Metadata != "" {
		t.Errorf("%+v", got)
	}
	s.Must(commit("g", "orders", 0, 3)) // and says again that the group is alive
	list, err := metalog.Collect(s.ListOffsets(t.Context(), "g"))
	if err != nil || len(list) != 2 || list[0].Topic != "orders" || list[0].Group != "g" {
		t.Errorf("%+v, %v", list, err)
	}
	s.Must(metalog.CreateGroup{ID: "h"})
	s.Must(commit("h", "orders", 0, 1))
	if list, err = metalog.Collect(s.ListTopicOffsets(t.Context(), "orders")); err != nil || len(list) != 3 || list[2].Group != "h" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := s.GetOffset(t.Context(), "h", "orders", 1); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("none committed: %v", err)
	}
}

// A group with members takes commits of its present generation only.
func TestOffsetCommitGeneration(t *testing.T) {
	t.Parallel()
	s := openWithGroup(t, 1)
	s.Must(withMembers("g", 4, "m"))
	by := func(generation *int32, member string) metalog.CommitOffsets {
		c := commit("g", "orders", 0, 1)
		c.Generation, c.MemberID = generation, member
		return c
	}
	s.Refused(metalog.ErrFenced, by(nil, ""))
	s.Refused(metalog.ErrFenced, by(new(int32(3)), "m"))
	s.Refused(metalog.ErrFenced, by(new(int32(5)), "m"))
	s.Refused(metalog.ErrFenced, by(new(int32(4)), "other"))
	s.Must(by(new(int32(4)), "m"))
	s.Must(withMembers("g", 5))
	s.Refused(metalog.ErrFenced, by(new(int32(5)), "m"))
	s.Must(by(nil, ""))
	s.Must(metalog.UpdateGroup{ID: "g", State: new(events.GroupDead)})
	s.Refused(metalog.ErrConflict, by(nil, ""))
}

// What carries the id of a deleted topic never lands on its namesake.
func TestOffsetCommitTopicID(t *testing.T) {
	t.Parallel()
	s := openWithGroup(t, 1)
	old, err := s.GetTopic(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	with := func(id uuid.UUID) metalog.Command {
		return metalog.CommitOffsets{Group: "g", Offsets: []metalog.OffsetCommit{{Topic: "orders", TopicID: id, Offset: 1}}}
	}
	s.Must(with(old.ID))
	s.Must(metalog.DeleteTopic{Name: "orders"})
	s.Refused(metalog.ErrNotFound, with(old.ID))
	again := createTopic(s, "orders", 1)
	s.Refused(metalog.ErrNotFound, with(old.ID))
	s.Must(with(again.TopicID))
}

func TestOffsetReset(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		cmd       metalog.ResetOffsets
		want      [3]int64 // of partitions 0 to 2; -1: none
		unchanged bool
	}{
		"to offset":     {metalog.ResetOffsets{ToOffset: new(int64(42))}, [3]int64{42, 42, 42}, false},
		"kept within":   {metalog.ResetOffsets{ToOffset: new(int64(5000))}, [3]int64{100, 5000, 5000}, false},
		"to earliest":   {metalog.ResetOffsets{ToEarliest: true}, [3]int64{10, 0, 0}, false},
		"to latest":     {metalog.ResetOffsets{Partitions: []int32{0}, ToLatest: true}, [3]int64{100, 60, -1}, false},
		"shift forward": {metalog.ResetOffsets{ShiftBy: new(int64(7))}, [3]int64{57, 67, -1}, false},
		"shift back":    {metalog.ResetOffsets{ShiftBy: new(int64(-55))}, [3]int64{10, 5, -1}, false},
		"shift too far": {metalog.ResetOffsets{ShiftBy: new(int64(-1 << 62))}, [3]int64{10, 0, -1}, false},
		"shift over":    {metalog.ResetOffsets{ShiftBy: new(int64(1<<63 - 1))}, [3]int64{100, 1<<63 - 1, -1}, false},
		"some":          {metalog.ResetOffsets{Partitions: []int32{1}, ToOffset: new(int64(1))}, [3]int64{50, 1, -1}, false},
		"same":          {metalog.ResetOffsets{Partitions: []int32{0}, ToOffset: new(int64(50))}, [3]int64{50, 60, -1}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openWithGroup(t, 3)
			s.Must(metalog.AdvanceWatermarks{Topic: "orders", High: new(int64(100)), LogStart: new(int64(10))})
			s.Must(commit("g", "orders", 0, 50))
			s.Must(commit("g", "orders", 1, 60))
			test.cmd.Group, test.cmd.Topic = "g", "orders"
			if test.unchanged {
				s.Unchanged(test.cmd)
			} else {
				plan := mustPlan(t, s, test.cmd)
				comparePlan(t, plan, s.Record(s.Must(test.cmd).Seq))
			}
			for p, want := range test.want {
				got, err := s.GetOffset(t.Context(), "g", "orders", int32(p))
				if errors.Is(err, metalog.ErrNotFound) {
					got.Offset, err = -1, nil
				}
				if err != nil || got.Offset != want {
					t.Errorf("partition %d: %d, %v; want %d", p, got.Offset, err, want)
				}
			}
		})
	}
}

func TestOffsetDelete(t *testing.T) {
	t.Parallel()
	s := openWithGroup(t, 3)
	createTopic(s, "clicks", 1)
	for p := range int32(3) {
		s.Must(commit("g", "orders", p, 1))
	}
	s.Must(commit("g", "clicks", 0, 1))
	s.Must(metalog.DeleteOffsets{Group: "g", Topic: "orders", Partition: new(int32(1))})
	s.Refused(metalog.ErrNotFound, metalog.DeleteOffsets{Group: "g", Topic: "orders", Partition: new(int32(1))})
	done := s.Must(metalog.DeleteOffsets{Group: "g", Topic: "orders"})
	if got := types(s.Record(done.Seq)); !slices.Equal(got, []string{"OffsetDeleted", "OffsetDeleted"}) {
		t.Errorf("record %v", got)
	}
	s.Unchanged(metalog.DeleteOffsets{Group: "g", Topic: "orders"})
	if list, err := metalog.Collect(s.ListOffsets(t.Context(), "g")); err != nil || len(list) != 1 || list[0].Topic != "clicks" {
		t.Errorf("left %+v, %v", list, err)
	}
}

func TestOffsetExpire(t *testing.T) {
	t.Parallel()
	s := openWithGroup(t, 2)
	s.Must(commit("g", "orders", 0, 1))
	later := s.Must(commit("g", "orders", 1, 1))
	expire := metalog.ExpireOffsets{Group: "g", Before: later.Time}
	s.Must(withMembers("g", 1, "m"))
	s.Unchanged(expire) // members keep what they have
	s.Must(withMembers("g", 2))
	done := s.Must(expire)
	if got := s.Record(done.Seq); len(got) != 1 || got[0].Type != "OffsetExpired" || got[0].Payload.(*events.OffsetExpired).Partition != 0 {
		t.Errorf("record %+v", got)
	}
	s.Unchanged(expire)
}

// What expires may take several records, by its size too.
func TestOffsetExpireManyWithLongNames(t *testing.T) {
	t.Parallel()
	const partitions = 1200
	group, topic := strings.Repeat("g", 1000), strings.Repeat("t", 249)
	s := storetest.Open(t)
	createTopic(s, topic, partitions)
	s.Must(metalog.CreateGroup{ID: group})
	for p := int32(0); p < partitions; p += 400 {
		c := metalog.CommitOffsets{Group: group}
		for i := range int32(400) {
			c.Offsets = append(c.Offsets, metalog.OffsetCommit{Topic: topic, Partition: p + i, Offset: 1})
		}
		s.Must(c)
	}
	before := events.TimeOf(s.Clock.Now())
	records := 0
	for {
		result, err := s.ExpireOffsets(t.Context(), metalog.ExpireOffsets{Group: group, Before: before})
		if err != nil {
			t.Fatal(err)
		}
		if result.Unchanged {
			break
		}
		records++
	}
	if list, err := metalog.Collect(s.ListOffsets(t.Context(), group)); err != nil || len(list) != 0 || records < 2 {
		t.Errorf("%d left after %d records, %v", len(list), records, err)
	}
}

func TestOffsetRevision(t *testing.T) {
	t.Parallel()
	s := openWithGroup(t, 2)
	first := s.Must(commit("g", "orders", 0, 1), metalog.IfRevision(0))
	s.Refused(metalog.ErrConflict, commit("g", "orders", 0, 2), metalog.IfRevision(0))
	s.Must(commit("g", "orders", 0, 2), metalog.IfRevision(first.Seq))
	s.Refused(metalog.ErrConflict, commit("g", "orders", 0, 3), metalog.IfRevision(first.Seq))
	two := commit("g", "orders", 0, 3)
	two.Offsets = append(two.Offsets, metalog.OffsetCommit{Topic: "orders", Partition: 1})
	s.Refused(metalog.ErrInvalid, two, metalog.IfRevision(0))
}

func TestOffsetRejections(t *testing.T) {
	t.Parallel()
	s := openWithGroup(t, 2)
	s.Must(metalog.CreateGroup{ID: "busy"})
	s.Must(withMembers("busy", 1, "m"))
	with := func(change func(*metalog.OffsetCommit)) metalog.Command {
		c := commit("g", "orders", 0, 1)
		change(&c.Offsets[0])
		return c
	}
	reset := func(change func(*metalog.ResetOffsets)) metalog.Command {
		c := metalog.ResetOffsets{Group: "g", Topic: "orders", ToOffset: new(int64(1))}
		change(&c)
		return c
	}
	many := commit("g", "orders", 0, 1)
	many.Offsets = slices.Repeat(many.Offsets, events.MaxRecordEvents+1)
	half := commit("g", "orders", 0, 1) // the second is refused, so the first isn't done
	half.Offsets = append(half.Offsets, metalog.OffsetCommit{Topic: "orders", Partition: 2})
	tests := map[string]rejection{
		"group not there":      {cmd: commit("x", "orders", 0, 1), want: metalog.ErrNotFound},
		"topic not there":      {cmd: commit("g", "x", 0, 1), want: metalog.ErrNotFound},
		"partition not there":  {cmd: commit("g", "orders", 2, 1), want: metalog.ErrOutOfRange},
		"second not there":     {cmd: half, want: metalog.ErrOutOfRange},
		"negative partition":   {cmd: commit("g", "orders", -1, 1), want: metalog.ErrInvalid},
		"negative offset":      {cmd: commit("g", "orders", 0, -1), want: metalog.ErrInvalid},
		"no group":             {cmd: commit("", "orders", 0, 1), want: metalog.ErrInvalid},
		"no topic":             {cmd: commit("g", "", 0, 1), want: metalog.ErrInvalid},
		"no offsets":           {cmd: metalog.CommitOffsets{Group: "g"}, want: metalog.ErrInvalid},
		"too many":             {cmd: many, want: metalog.ErrInvalid},
		"leader epoch":         {cmd: with(func(o *metalog.OffsetCommit) { o.LeaderEpoch = new(int32(-2)) }), want: metalog.ErrInvalid},
		"long metadata":        {cmd: with(func(o *metalog.OffsetCommit) { o.Metadata = strings.Repeat("x", 4097) }), want: metalog.ErrInvalid},
		"metadata not UTF-8":   {cmd: with(func(o *metalog.OffsetCommit) { o.Metadata = "\xff" }), want: metalog.ErrInvalid},
		"other topic id":       {cmd: with(func(o *metalog.OffsetCommit) { o.TopicID = uuid.UUID{1} }), want: metalog.ErrNotFound},
		"reset two ways":       {cmd: reset(func(c *metalog.ResetOffsets) { c.ToLatest = true }), want: metalog.ErrInvalid},
		"reset no way":         {cmd: reset(func(c *metalog.ResetOffsets) { c.ToOffset = nil }), want: metalog.ErrInvalid},
		"reset negative":       {cmd: reset(func(c *metalog.ResetOffsets) { c.ToOffset = new(int64(-1)) }), want: metalog.ErrInvalid},
		"reset twice the same": {cmd: reset(func(c *metalog.ResetOffsets) { c.Partitions = []int32{1, 1} }), want: metalog.ErrInvalid},
		"reset beyond":         {cmd: reset(func(c *metalog.ResetOffsets) { c.Partitions = []int32{2} }), want: metalog.ErrOutOfRange},
		"reset negative part":  {cmd: reset(func(c *metalog.ResetOffsets) { c.Partitions = []int32{-1} }), want: metalog.ErrInvalid},
		"reset unknown group":  {cmd: reset(func(c *metalog.ResetOffsets) { c.Group = "x" }), want: metalog.ErrNotFound},
		"reset unknown topic":  {cmd: reset(func(c *metalog.ResetOffsets) { c.Topic = "x" }), want: metalog.ErrNotFound},
		"reset busy group":     {cmd: reset(func(c *metalog.ResetOffsets) { c.Group = "busy" }), want: metalog.ErrConflict},
		"delete unknown group": {cmd: metalog.DeleteOffsets{Group: "x", Topic: "orders"}, want: metalog.ErrNotFound},
		"delete unknown topic": {cmd: metalog.DeleteOffsets{Group: "g", Topic: "x"}, want: metalog.ErrNotFound},
		"delete of busy group": {cmd: metalog.DeleteOffsets{Group: "busy", Topic: "orders"}, want: metalog.ErrConflict},
		"delete negative":      {cmd: metalog.DeleteOffsets{Group: "g", Topic: "orders", Partition: new(int32(-1))}, want: metalog.ErrInvalid},
		"delete with revision": {cmd: metalog.DeleteOffsets{Group: "g", Topic: "orders"}, want: metalog.ErrInvalid, opts: []metalog.CommandOption{metalog.IfRevision(3)}},
		"expire unknown group": {cmd: metalog.ExpireOffsets{Group: "x", Before: 1}, want: metalog.ErrNotFound},
		"expire before never":  {cmd: metalog.ExpireOffsets{Group: "g"}, want: metalog.ErrInvalid},
	}
	big := metalog.CommitOffsets{Group: "g"}
	for i := range 600 {
		big.Offsets = append(big.Offsets, metalog.OffsetCommit{Topic: "orders", Offset: int64(i), Metadata: strings.Repeat("x", 4000)})
	}
	tests["record too large"] = rejection{cmd: big, want: metalog.ErrTooLarge}
	checkRejections(t, s, tests)
	if list, err := metalog.Collect(s.ListOffsets(t.Context(), "g")); err != nil || len(list) != 0 {
		t.Errorf("%s", fmt.Sprint(list, err))
	}
}
