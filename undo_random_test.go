package metalog_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// TestUndoOfRandomCommands builds a random history over all entities and undoes
// what its commands did, at once or after others that had nothing to do with it:
// each time the state is as before, but for what the report lists. Undos are undone
// as well.
func TestUndoOfRandomCommands(t *testing.T) {
	t.Parallel()
	rounds, commands := 6, 60
	if os.Getenv("METALOG_LONG") != "" {
		rounds, commands = 200, 150
	}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := &undoRun{Store: storetest.Open(t), t: t, Rand: rand.New(rand.NewPCG(seed, 1)), undone: map[string]int{}}
			catalogue(t, r.Store)
			registerBrokers(r.Store, 3)
			for range commands {
				r.step()
			}
			t.Logf("undone: %v", r.undone)
		})
	}
}

type undoRun struct {
	*storetest.Store
	*rand.Rand
	t      *testing.T
	undone map[string]int // by command
}

// step does a command, mostly undoes it, and sometimes undoes that.
func (r *undoRun) step() {
	cmd := r.command()
	before := things(r.t, r.Store, metalog.Point{})
	result, err := r.Execute(r.t.Context(), cmd, metalog.CommandOptions{})
	if err != nil || result.Unchanged || r.IntN(4) == 0 {
		return
	}
	after := things(r.t, r.Store, metalog.Point{})
	report := r.undo(result.Seq, cmd, before)
	if report == nil || r.IntN(3) > 0 {
		return
	}
	r.undo(report.Results[0].Seq, cmd, after)
}

// undo undoes a record and compares with the state before; nil: it can't be undone.
func (r *undoRun) undo(seq uint64, cmd metalog.Command, before map[string]metalog.Thing) *metalog.UndoReport {
	r.t.Helper()
	opts := metalog.UndoOptions{Seq: seq}
	plan, err := r.PlanUndo(r.t.Context(), opts)
	if errors.Is(err, metalog.ErrInvalid) {
		notUndone(r.t, r.Store, opts, metalog.ErrInvalid, "can't be undone")
		return nil
	}
	if err != nil {
		r.t.Fatalf("plan of the undo of %s %+v: %v", cmd.Op(), cmd, err)
	}
	if refusal := plan.Refusal(false); refusal != nil {
		notUndone(r.t, r.Store, opts, metalog.ErrConflict)
		opts.Force = true
		if plan, err = r.PlanUndo(r.t.Context(), opts); err != nil || plan.Refusal(true) != nil {
			return nil // no broker that held it is alive
		}
	}
	if plan.EventCount == 0 {
		return nil // a broker's restart in place: nothing is left to do
	}
	r.undone[cmd.Op()]++
	report := mustUndo(r.t, r.Store, opts)
	failed := r.t.Failed()
	checkBack(r.t, before, things(r.t, r.Store, metalog.Point{}), report.UndoSummary, mayDiffer[cmd.Op()]...)
	if r.t.Failed() && !failed {
		r.t.Fatalf("undo of seq %d, %s %+v: %+v\n%+v", seq, cmd.Op(), cmd, report.Steps, report.Differs)
	}
	return &report
}

// mayDiffer is what may differ after an undo of a command besides mustDiffer: who
// is in sync and who leads is for the brokers that are there.
var mayDiffer = map[string][]string{
	"topic.delete":       {"assignment isr", "assignment leader", "assignment replicas"},
	"topic.create":       {"assignment isr", "assignment leader", "assignment replicas"},
	"broker.register":    {"assignment isr", "assignment leader"},
	"broker.status":      {"assignment isr", "assignment leader"},
	"broker.remove":      {"assignment isr", "assignment leader"},
	"partition.assign":   {"assignment isr", "assignment leader"},
	"partition.reassign": {"assignment isr", "assignment leader"},
	"partition.leader":   {"assignment leader"},
	"partition.isr":      {"assignment isr", "assignment leader"},
	"group.update":       {"group generation"},
}

func (r *undoRun) pick(of ...string) string { return of[r.IntN(len(of))] }
func (r *undoRun) topic() string            { return r.pick("orders", "clicks", "c") }
func (r *undoRun) group() string            { return r.pick("g", "h", "i") }
func (r *undoRun) some() int32              { return int32(r.IntN(3)) }

func (r *undoRun) brokers() events.BrokerIDs {
	ids := events.BrokerIDs{1, 2, 3, 4}
	r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids[:1+r.IntN(3)]
}

func (r *undoRun) config() events.Config {
	config := events.Config{}
	for range 1 + r.IntN(3) {
		config[r.pick("a", "b", "c")] = r.pick("1", "2", "3")
	}
	return config
}

func (r *undoRun) scope() events.EntityRef {
	return scope(r.t, r.pick("cluster", "broker/1", "broker/2", "topic/"+r.topic(), "group/"+r.group()))
}

func (r *undoRun) segment() metalog.SegmentInfo {
	start := int64(r.IntN(50))
	return metalog.SegmentInfo{ID: r.pick("s0", "s1", "s2", "s3", "s4"), StartOffset: start, EndOffset: start + int64(r.IntN(200)), Path: r.pick("", "/a", "/b"), Attributes: r.config()}
}

// command makes up a command, which may well be refused.
func (r *undoRun) command() metalog.Command {
	return one(r.Rand,
		r.topicCommand, r.topicCommand, r.segmentCommand, r.brokerCommand, r.brokerCommand,
		r.partitionCommand, r.partitionCommand, r.groupCommand, r.offsetCommand, r.configCommand)()
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func (r *undoRun) topicCommand() metalog.Command {
	create := metalog.CreateTopic{Name: r.topic(), Partitions: 1 + r.some(), ReplicationFactor: 1, Config: r.config()}
	if r.IntN(2) == 0 {
		for range create.Partitions {
			create.Assignments = append(create.Assignments, metalog.TopicAssignment{Replicas: r.brokers()})
		}
	}
	return one[metalog.Command](r.Rand, create, create,
		metalog.DeleteTopic{Name: r.topic()}, metalog.DeleteTopic{Name: r.topic()},
		metalog.UpdateTopic{Name: r.topic(), ReplicationFactor: new(1 + r.some()), Config: new(r.config())},
		metalog.AddPartitions{Name: r.topic(), Total: 3})
}

func (r *undoRun) segmentCommand() metalog.Command {
	compact := metalog.CompactSegments{Topic: r.topic(), Partition: r.some(), Removed: []string{r.pick("s0", "s1", "s2")}, Added: []metalog.SegmentInfo{r.segment()}}
	return one[metalog.Command](r.Rand,
		metalog.AddSegment{Topic: r.topic(), Partition: r.some(), SegmentInfo: r.segment()},
		metalog.DeleteSegment{Topic: r.topic(), ID: r.pick("s0", "s1", "s2", "s3")}, compact)
}

func (r *undoRun) brokerCommand() metalog.Command {
	id := 1 + int32(r.IntN(4))
	register := broker(id)
	register.Rack = r.pick("", "x")
	if r.IntN(3) == 0 {
		register.IncarnationID[0] = byte(r.IntN(3))
	}
	return one[metalog.Command](r.Rand, register, register,
		metalog.SetBrokerStatus{ID: id, Status: one(r.Rand, events.BrokerOnline, events.BrokerOffline, events.BrokerMaintenance)},
		metalog.SetBrokerStatus{ID: id, Status: events.BrokerOnline},
		metalog.RemoveBroker{ID: id, Force: r.IntN(2) == 0})
}

func (r *undoRun) partitionCommand() metalog.Command {
	topic, p, ids := r.topic(), r.some(), r.brokers()
	high := int64(r.IntN(300))
	return one[metalog.Command](r.Rand,
		metalog.AssignPartition{Topic: topic, Partition: p, Replicas: ids},
		metalog.ReassignPartition{Topic: topic, Partition: p, Replicas: ids, Unclean: r.IntN(3) == 0},
		metalog.ElectLeader{Topic: topic, Partition: p, Leader: one(r.Rand, append(slices.Clone(ids), events.NoLeader)...)},
		metalog.ChangeISR{Topic: topic, Partition: p, ISR: ids},
		metalog.AdvanceWatermarks{Topic: topic, Partition: p, High: &high, LogStart: new(high / 4)})
}

func (r *undoRun) groupCommand() metalog.Command {
	update := metalog.UpdateGroup{ID: r.group(), State: one(r.Rand, new(events.GroupEmpty), new(events.GroupStable), nil, new(events.GroupDead)), Protocol: new(r.pick("range", "sticky"))}
	if r.IntN(2) == 0 {
		update.Generation = new(int32(r.IntN(5)))
	}
	if r.IntN(2) == 0 {
		members := make([]events.Member, r.IntN(3))
		for i := range members {
			members[i] = events.Member{ID: fmt.Sprint("m", i), Metadata: events.Bytes{1}}
		}
		update.Members = &members
	}
	return one[metalog.Command](r.Rand, metalog.CreateGroup{ID: r.group(), ProtocolType: "consumer"}, metalog.DeleteGroup{ID: r.group()}, metalog.DeleteGroup{ID: r.group()}, update, update)
}

func (r *undoRun) offsetCommand() metalog.Command {
	group, topic := r.group(), r.topic()
	offsets := metalog.CommitOffsets{Group: group}
	for p := range r.some() + 1 {
		offsets.Offsets = append(offsets.Offsets, metalog.OffsetCommit{Topic: topic, Partition: p, Offset: r.Int64N(100), LeaderEpoch: new(r.some()), Metadata: r.pick("", "m")})
	}
	return one[metalog.Command](r.Rand, offsets, offsets, offsets,
		metalog.ResetOffsets{Group: group, Topic: topic, ToOffset: new(r.Int64N(100))},
		metalog.DeleteOffsets{Group: group, Topic: topic},
		metalog.ExpireOffsets{Group: group, Before: 1 << 62})
}

func (r *undoRun) configCommand() metalog.Command {
	return one[metalog.Command](r.Rand, metalog.SetConfig{Scope: r.scope(), Config: r.config()}, metalog.DeleteConfig{Scope: r.scope()}, metalog.DeleteConfig{Scope: r.scope(), Keys: []string{"a"}})
}
