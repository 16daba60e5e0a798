package metalog_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
)

// A throttle that lets nobody through holds up commits and watermarks, and no
// other command, however near it is.
func TestThrottle(t *testing.T) {
	tooFar := errors.New("too far behind")
	throttled := 0
	store := storetest.Open(t, func(o *metalog.Options) {
		o.Throttle = func(context.Context) error { throttled++; return tooFar }
	})
	producer := metalog.Producer{TransactionalID: "t"}
	tests := []struct {
		cmd      metalog.Command
		highRate bool
	}{
		{metalog.CommitOffsets{Group: "g", Offsets: []metalog.OffsetCommit{{Topic: "t"}}}, true},
		{metalog.CommitTransactionOffsets{Producer: producer, Group: "g", Offsets: []metalog.OffsetCommit{{Topic: "t"}}}, true},
		{metalog.AdvanceWatermarks{Topic: "t", High: new(int64)}, true},
		{metalog.CreateTopic{Name: "t", Partitions: 1, ReplicationFactor: 1}, false},
		{metalog.AddSegment{Topic: "t", SegmentInfo: metalog.SegmentInfo{ID: "s"}}, false},
		{metalog.ElectLeader{Topic: "t"}, false},
		{metalog.ChangeISR{Topic: "t", ISR: []int32{1}}, false},
		{metalog.RegisterBroker{ID: 1, Host: "h", Port: 1}, false},
		{metalog.CreateGroup{ID: "g"}, false},
		{metalog.DeleteOffsets{Group: "g", Topic: "t"}, false},
		{metalog.BeginTransaction{Producer: producer}, false},
		{metalog.CommitTransaction{Producer: producer}, false},
		{metalog.InitSystem{}, false},
	}
	var high []string
	for _, test := range tests {
		before := throttled
		_, err := store.Execute(t.Context(), test.cmd, metalog.CommandOptions{})
		if errors.Is(err, tooFar) != test.highRate || (throttled > before) != test.highRate {
			t.Errorf("%s: %v, throttled %d times: want it throttled: %t", test.cmd.Op(), err, throttled-before, test.highRate)
		}
		if test.highRate {
			high = append(high, test.cmd.Op())
		}
	}
	if !slices.Equal(high, metalog.HighRateOps()) {
		t.Errorf("operations of a high rate are %v, tested were %v", metalog.HighRateOps(), high)
	}
}

// The throttle has the caller's context, and what it lets through is done.
func TestThrottleLetsThrough(t *testing.T) {
	type key struct{}
	var seen any
	store := storetest.Open(t, func(o *metalog.Options) {
		o.Throttle = func(ctx context.Context) error { seen = ctx.Value(key{}); return nil }
	})
	for _, cmd := range []metalog.Command{
		metalog.CreateTopic{Name: "t", Partitions: 1, ReplicationFactor: 1},
		metalog.CreateGroup{ID: "g"},
		metalog.CommitOffsets{Group: "g", Offsets: []metalog.OffsetCommit{{Topic: "t", Offset: 3}}},
	} {
		if _, err := store.Execute(context.WithValue(t.Context(), key{}, "caller's"), cmd, metalog.CommandOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if seen != "caller's" {
		t.Errorf("the throttle saw %v", seen)
	}
	if offset, err := store.GetOffset(t.Context(), "g", "t", 0); err != nil || offset.Offset != 3 {
		t.Errorf("offset %+v, %v", offset, err)
	}
}
