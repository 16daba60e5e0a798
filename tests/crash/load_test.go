package crash

import (
	"fmt"
	"math/rand/v2"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// actor is who gives the load's commands; other records are the store's own.
const actor = "crash"

// commandID names a command of the load: the nth of a worker.
type commandID struct{ worker, n int }

func (c commandID) String() string { return fmt.Sprintf("%d-%d", c.worker, c.n) }

func parseCommandID(s string) (c commandID, err error) {
	_, err = fmt.Sscanf(s, "%d-%d", &c.worker, &c.n)
	return c, err
}

// The purger is a worker of whose commands one in so many is a step towards a
// delete that is too large for one record.
const (
	purger     = 0
	purgeOneIn = 6
)

// command gives a command of the load. The same seed and id give the same one.
//
// Topics and groups are few, so that commands meet each other: creates of what
// is there, commits to what has been deleted, deletes with much below them.
func command(seed uint64, id commandID) metalog.Command {
	if id.worker == purger && id.n%purgeOneIn == 0 {
		return purge(id.n / purgeOneIn)
	}
	r := rand.New(rand.NewPCG(seed, uint64(id.worker)<<40|uint64(id.n)))
	topic := fmt.Sprintf("topic-%d", r.IntN(6))
	group := fmt.Sprintf("group-%d", r.IntN(4))
	broker := r.Int32N(3)
	partition := r.Int32N(partitions)
	switch n := r.IntN(100); {
	case n < 12:
		return metalog.CreateTopic{Name: topic, Partitions: partitions, ReplicationFactor: 1, Config: events.Config{"by": id.String()}}
	case n < 16:
		return metalog.DeleteTopic{Name: topic}
	case n < 22:
		return metalog.CreateGroup{ID: group}
	case n < 24:
		return metalog.DeleteGroup{ID: group}
	case n < 36:
		start := int64(id.n) * 100
		return metalog.AddSegment{Topic: topic, Partition: partition, SegmentInfo: metalog.SegmentInfo{ID: id.String(), StartOffset: start, EndOffset: start + 99}}
	case n < 40:
		return metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindCluster}, Config: events.Config{fmt.Sprintf("key-%d", r.IntN(9)): id.String()}}
	case n < 44:
		return metalog.AllocateProducerIDs{Count: 1 + r.Int64N(100)}
	case n < 46:
		return metalog.RegisterBroker{ID: broker, Host: "host-" + id.String(), Port: 9092, IncarnationID: [16]byte{15: byte(broker)}}
	case n < 48:
		status := []events.BrokerStatus{events.BrokerOnline, events.BrokerOffline}[r.IntN(2)]
		return metalog.SetBrokerStatus{ID: broker, Status: status}
	case n < 52:
		return metalog.AssignPartition{Topic: topic, Partition: partition, Replicas: events.BrokerIDs{broker, (broker + 1) % 3}}
	}
	return commitOffsets(r, group, topic)
}

const partitions = 4 // of the load's ordinary topics

func commitOffsets(r *rand.Rand, group, topic string) metalog.CommitOffsets {
	cmd := metalog.CommitOffsets{Group: group}
	for p := range 1 + r.Int32N(partitions) {
		cmd.Offsets = append(cmd.Offsets, metalog.OffsetCommit{Topic: topic, Partition: p, Offset: r.Int64N(1 << 40), Metadata: "m"})
	}
	return cmd
}

// The purger's topic: its groups' offsets are more than one record's events.
const (
	purgedTopic      = "purged"
	purgedGroups     = 5
	purgedPartitions = 1000
)

// purge gives the purger's nth step: it makes a topic, groups if they are not
// there, and offsets, then deletes the topic, and so on.
func purge(n int) metalog.Command {
	switch step := n % (2*purgedGroups + 2); {
	case step == 0:
		return metalog.CreateTopic{Name: purgedTopic, Partitions: purgedPartitions, ReplicationFactor: 1}
	case step <= purgedGroups:
		return metalog.CreateGroup{ID: fmt.Sprintf("purged-%d", step)}
	case step <= 2*purgedGroups:
		cmd := metalog.CommitOffsets{Group: fmt.Sprintf("purged-%d", step-purgedGroups)}
		for p := range int32(purgedPartitions) {
			cmd.Offsets = append(cmd.Offsets, metalog.OffsetCommit{Topic: purgedTopic, Partition: p, Offset: int64(n)})
		}
		return cmd
	}
	return metalog.DeleteTopic{Name: purgedTopic}
}
