package bench

import (
	"fmt"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// diffRows is about how many rows the compared states have: offsets, and the topics,
// partitions and groups that they hang on.
const diffRows = 100_000

// BenchmarkDiff compares two states of 100,000 rows whose views are made already:
// all offsets differ, few do, none do, and a topic of 50 partitions is picked out.
func BenchmarkDiff(b *testing.B) {
	store, err := metalog.Open(b.Context(), metalog.Options{Path: b.TempDir(), SnapshotEvery: -1, MinFreeBytes: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	}()
	do := func(cmd metalog.Command) {
		if _, err := store.Execute(b.Context(), cmd, metalog.CommandOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	const topics, partitions = 200, 50
	for id := range int32(3) {
		do(metalog.RegisterBroker{ID: id, Host: "h", Port: 1})
	}
	for t := range topics {
		create := metalog.CreateTopic{Name: fmt.Sprintf("topic-%d", t), Partitions: partitions, ReplicationFactor: 3, Config: events.Config{"cleanup.policy": "compact"}}
		for range partitions {
			create.Assignments = append(create.Assignments, metalog.TopicAssignment{Replicas: events.BrokerIDs{0, 1, 2}})
		}
		do(create)
	}
	const groups = (diffRows - topics*(partitions+2)) / (partitions * 10)
	for g := range groups {
		do(metalog.CreateGroup{ID: groupID(g)})
	}
	commitAll := func(groups int, offset int64) metalog.Point {
		for g := range groups {
			for t := range 10 {
				cmd := metalog.CommitOffsets{Group: groupID(g)}
				for p := range int32(partitions) {
					cmd.Offsets = append(cmd.Offsets, metalog.OffsetCommit{Topic: fmt.Sprintf("topic-%d", (g+t)%topics), Partition: p, Offset: offset})
				}
				do(cmd)
			}
		}
		return metalog.Point{Seq: store.Log().Head().Seq}
	}
	before := commitAll(groups, 1)
	few := commitAll(1, 2)
	all := commitAll(groups, 3)
	commitAll(1, 4) // so that none of these is the present

	for _, test := range []struct {
		name     string
		from, to metalog.Point
		entities []string
	}{
		{"all", before, all, nil},
		{"few", before, few, nil},
		{"none", few, few, nil},
		{"topic", before, all, []string{"topic/topic-7"}},
	} {
		b.Run(test.name, func(b *testing.B) {
			diff := func() (n int) {
				d, err := store.Diff(b.Context(), test.from, test.to, metalog.DiffOptions{Entities: test.entities})
				if err != nil {
					b.Fatal(err)
				}
				for _, err := range d.Differences {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				return n
			}
			n := diff() // makes the views
			peak := watchMemory(b)
			for b.Loop() {
				diff()
			}
			b.ReportMetric(float64(n), "differences")
			b.ReportMetric(peak(), "peak-MB")
		})
	}
}
