package metalog_test

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// createTopic creates a topic with replication factor 1.
func createTopic(s *storetest.Store, name string, partitions int32) metalog.Result {
	return s.Must(metalog.CreateTopic{Name: name, Partitions: partitions, ReplicationFactor: 1})
}

// registerBrokers registers brokers whose incarnation id has their number.
func registerBrokers(s *storetest.Store, ids ...int32) {
	for _, id := range ids {
		s.Must(broker(id))
	}
}

func broker(id int32) metalog.RegisterBroker {
	return metalog.RegisterBroker{ID: id, Host: fmt.Sprintf("host-%d", id), Port: 9092, IncarnationID: [16]byte{15: byte(id)}}
}

func segment(topic string, partition int32, id string, start, end int64) metalog.AddSegment {
	return metalog.AddSegment{Topic: topic, Partition: partition, SegmentInfo: metalog.SegmentInfo{ID: id, StartOffset: start, EndOffset: end}}
}

func commit(group, topic string, partition int32, offset int64) metalog.CommitOffsets {
	return metalog.CommitOffsets{Group: group, Offsets: []metalog.OffsetCommit{{Topic: topic, Partition: partition, Offset: offset}}}
}

func types(list []events.EventView) []string {
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Type
	}
	return names
}

// checkCascade checks that events are one event that a command asked for and
// derived events below it, and returns the types of those.
func checkCascade(t *testing.T, list []events.EventView) []string {
	t.Helper()
	if len(list) == 0 || list[0].Derived || list[0].Cause != nil {
		t.Fatalf("no event begins the cascade: %+v", list)
	}
	for _, e := range list[1:] {
		if !e.Derived || e.Cause == nil || e.Cause.Seq != list[0].Seq || e.Cause.Index != 0 {
			t.Errorf("%s %d.%d: derived %v, cause %v; want event 0 of its record", e.Type, e.Seq, e.Index, e.Derived, e.Cause)
		}
	}
	return types(list[1:])
}

// rejection is a command that must be refused, and how.
type rejection struct {
	cmd  metalog.Command
	want error
	opts []metalog.CommandOption
}

func checkRejections(t *testing.T, s *storetest.Store, tests map[string]rejection) {
	t.Helper()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := s.Seq()
			_, err := s.Execute(t.Context(), test.cmd, metalog.NewCommandOptions(test.opts...))
			if got, want := events.CodeOf(err), events.CodeOf(test.want); err == nil || got != want {
				t.Errorf("got %v (%s), want %s", err, got, want)
			}
			if after := s.Seq(); after != before {
				t.Errorf("seq went from %d to %d", before, after)
			}
		})
	}
}
