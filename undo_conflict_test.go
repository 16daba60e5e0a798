package metalog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// What later records changed is not overwritten, unless by force.
func TestUndoConflicts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cmd    metalog.Command
		later  []metalog.Command
		says   string
		differ []string // when forced
	}{
		"config key set again": {
			cmd:   metalog.SetConfig{Scope: scope(t, "topic/orders"), Config: events.Config{"a": "2"}},
			later: []metalog.Command{metalog.SetConfig{Scope: scope(t, "topic/orders"), Config: events.Config{"a": "3"}}},
			says:  "config of topic/orders, key a: changed since, by seq 31 (ConfigSet)",
		},
		"config set, topic updated": {
			cmd:   metalog.SetConfig{Scope: scope(t, "topic/orders"), Config: events.Config{"a": "2"}},
			later: []metalog.Command{metalog.UpdateTopic{Name: "orders", Config: &events.Config{"a": "4"}}},
			says:  "config of topic/orders, key a: changed since, by seq 31 (TopicUpdated)",
		},
		"config deleted since": {
			cmd:   metalog.SetConfig{Scope: scope(t, "topic/orders"), Config: events.Config{"a": "2"}},
			later: []metalog.Command{metalog.DeleteConfig{Scope: scope(t, "topic/orders")}},
			says:  "by seq 31 (ConfigDeleted)",
		},
		"reassigned again": {
			cmd:    metalog.ReassignPartition{Topic: "orders", Replicas: events.BrokerIDs{2, 1}},
			later:  []metalog.Command{metalog.ReassignPartition{Topic: "orders", Replicas: events.BrokerIDs{2}}, metalog.ReassignPartition{Topic: "orders", Replicas: events.BrokerIDs{2, 1}}},
			says:   `topic "orders", partition 0: changed since, by seq 31 (PartitionReassigned) and seq 32`,
			differ: []string{"assignment isr", "assignment leader"},
		},
		"committed after a reset": {
			cmd:   metalog.ResetOffsets{Group: "g", Topic: "orders", ToOffset: new(int64(1))},
			later: []metalog.Command{commit("g", "orders", 0, 4), commit("g", "orders", 0, 5), commit("g", "orders", 0, 6)},
			says:  `offset of group "g" in topic "orders", partition 0: changed since, by seq 31 (OffsetCommitted) and 2 more up to seq 33`,
		},
		"topic created, then filled": {
			cmd:   metalog.CreateTopic{Name: "new", Partitions: 1, ReplicationFactor: 1},
			later: []metalog.Command{segment("new", 0, "s", 0, 9), commit("g", "new", 0, 1)},
			says:  `topic "new": changed since, by seq 31 (SegmentAdded) and seq 32`,
		},
		"group created, then used": {
			cmd:   metalog.CreateGroup{ID: "new"},
			later: []metalog.Command{commit("new", "orders", 0, 1)},
			says:  `group "new": changed since, by seq 31 (OffsetCommitted)`,
		},
		"broker registered, then in maintenance": {
			cmd:   broker(7),
			later: []metalog.Command{metalog.SetBrokerStatus{ID: 7, Status: events.BrokerMaintenance}},
			says:  "broker 7: changed since, by seq 31 (BrokerStatusChanged)",
		},
		"segment removed, another under its id": {
			cmd:   metalog.DeleteSegment{Topic: "orders", ID: "s0"},
			later: []metalog.Command{segment("orders", 1, "s0", 5, 6)},
			says:  `segment "s0" of topic "orders": changed since, by seq 31 (SegmentAdded)`,
		},
		"group updated again": {
			cmd:    metalog.UpdateGroup{ID: "g", Protocol: new("range")},
			later:  []metalog.Command{metalog.UpdateGroup{ID: "g", Generation: new(int32(3))}},
			says:   `group "g": changed since, by seq 31 (GroupUpdated)`,
			differ: []string{"group generation"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := storetest.Open(t)
			catalogue(t, s)
			before := things(t, s, metalog.Point{})
			seq := s.Must(test.cmd).Seq
			for _, cmd := range test.later {
				s.Must(cmd)
			}
			notUndone(t, s, metalog.UndoOptions{Seq: seq}, metalog.ErrConflict, test.says, "--force")
			plan, err := s.PlanUndo(t.Context(), metalog.UndoOptions{Seq: seq})
			if err != nil || len(plan.Conflicts) == 0 || plan.Refusal(false) == nil || plan.Refusal(true) != nil {
				t.Errorf("%+v, %v", plan.Conflicts, err)
			}
			report := mustUndo(t, s, metalog.UndoOptions{Seq: seq, Force: true})
			checkBack(t, before, things(t, s, metalog.Point{}), report.UndoSummary, append(test.differ, "group generation")...)
		})
	}
}

// Another one of the name is in the way, whatever is asked for.
func TestUndoOfADeletionWithANamesake(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	catalogue(t, s)
	topic, group := s.Must(metalog.DeleteTopic{Name: "orders"}).Seq, s.Must(metalog.DeleteGroup{ID: "g"}).Seq
	topicAgain := createTopic(s, "orders", 1).Seq
	groupAgain := s.Must(metalog.CreateGroup{ID: "g"}).Seq
	for _, force := range []bool{false, true} {
		notUndone(t, s, metalog.UndoOptions{Seq: topic, Force: force}, metalog.ErrConflict, `topic "orders": there is another one of this name, since seq `+fmt.Sprint(topicAgain)+"; delete that one first")
		notUndone(t, s, metalog.UndoOptions{Seq: group, Force: force}, metalog.ErrConflict, `group "g": there is another one of this name, since seq `+fmt.Sprint(groupAgain)+"; delete that one first")
	}
	s.Must(metalog.DeleteTopic{Name: "orders"})
	report := mustUndo(t, s, metalog.UndoOptions{Seq: topic})
	if len(report.Lost) == 0 || !slices.ContainsFunc(report.Lost, func(l metalog.UndoLoss) bool { return l.Kind == "offset" && l.Why == "its group is gone" }) {
		t.Errorf("the offsets of the group that is gone: %+v", report.Lost)
	}
}

// What somebody else's record put between is not in conflict.
func TestUndoLeavesOtherThingsAlone(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	catalogue(t, s)
	seq := s.Must(metalog.SetConfig{Scope: scope(t, "topic/orders"), Config: events.Config{"a": "2"}}).Seq
	s.Must(metalog.SetConfig{Scope: scope(t, "topic/orders"), Config: events.Config{"b": "2"}})
	s.Must(segment("orders", 0, "new", 500, 600))
	before := things(t, s, metalog.Point{})
	before[`config config of topic/orders`].Fields["a"] = "1"
	report := mustUndo(t, s, metalog.UndoOptions{Seq: seq})
	checkBack(t, before, things(t, s, metalog.Point{}), report.UndoSummary)
}

func TestWhatCanNotBeUndone(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	catalogue(t, s)
	p := metalog.Producer{TransactionalID: "other", ProducerID: 1}
	for _, cmd := range []metalog.Command{
		metalog.InitSystem{},
		metalog.AddPartitions{Name: "orders", Total: 5, Assignments: []metalog.TopicAssignment{{Replicas: events.BrokerIDs{1}}, {Replicas: events.BrokerIDs{1}}, {Replicas: events.BrokerIDs{1}}}},
		metalog.AdvanceWatermarks{Topic: "orders", High: new(int64(200))},
		metalog.AdvanceWatermarks{Topic: "orders", LogStart: new(int64(120))},
		metalog.AllocateProducerIDs{},
		metalog.BeginTransaction{Producer: p},
		metalog.AddTransactionPartitions{Producer: p, Partitions: []metalog.TransactionPartition{{Topic: "orders"}}},
		metalog.AddTransactionOffsets{Producer: p, Group: "g"},
		metalog.CommitTransactionOffsets{Producer: p, Group: "g", Offsets: []metalog.OffsetCommit{{Topic: "orders", Offset: 3}}},
		metalog.PrepareTransaction{Producer: p, Outcome: metalog.OutcomeCommit},
		metalog.CommitTransaction{Producer: p},
		metalog.FenceProducer{TransactionalID: "txn"},
		metalog.StartImport{Source: "s"},
		metalog.CompleteImport{Source: "s"},
	} {
		seq := s.Must(cmd).Seq
		for _, force := range []bool{false, true} {
			notUndone(t, s, metalog.UndoOptions{Seq: seq, Force: force}, metalog.ErrInvalid, fmt.Sprintf("seq %d: ", seq), "can't be undone: ")
		}
	}
	notUndone(t, s, metalog.UndoOptions{Seq: 1}, metalog.ErrInvalid, "EpochStarted")
	notUndone(t, s, metalog.UndoOptions{}, metalog.ErrOutOfRange, "undo of seq 0: the log's records are 1 to ", "; give one of them")
	notUndone(t, s, metalog.UndoOptions{Seq: s.Seq() + 1}, metalog.ErrOutOfRange)
	for _, opt := range []metalog.CommandOption{metalog.WithCommandID("x"), metalog.IfRevision(3), metalog.WithCause(events.Position{Seq: 1}), metalog.WithReason(strings.Repeat("x", 2000))} {
		if _, err := s.Undo(t.Context(), metalog.UndoOptions{Seq: 2}, opt); events.CodeOf(err) != events.CodeInvalid {
			t.Errorf("%v", err)
		}
	}
}

// What a later change makes unsafe needs force, and the refusal says so.
func TestUndoThatNeedsForce(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	catalogue(t, s)
	registerBrokers(s, 7)
	registered := s.Must(broker(8)).Seq
	before := things(t, s, metalog.Point{})
	unclean := s.Must(metalog.ReassignPartition{Topic: "orders", Replicas: events.BrokerIDs{7}, Unclean: true}).Seq
	notUndone(t, s, metalog.UndoOptions{Seq: unclean}, metalog.ErrConflict, fmt.Sprintf(`undo of seq %d: topic "orders", partition 0: none of the replicas [1 2] is in sync`, unclean), "--force does it nevertheless")
	report := mustUndo(t, s, metalog.UndoOptions{Seq: unclean, Force: true})
	checkBack(t, before, things(t, s, metalog.Point{}), report.UndoSummary)

	unclean = s.Must(metalog.ReassignPartition{Topic: "orders", Replicas: events.BrokerIDs{7}, Unclean: true}).Seq
	s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline})
	s.Must(metalog.SetBrokerStatus{ID: 2, Status: events.BrokerOffline})
	for _, force := range []bool{false, true} { // which does not help here, and is not offered
		opts := metalog.UndoOptions{Seq: unclean, Force: force}
		notUndone(t, s, opts, metalog.ErrConflict, "none of the replicas [1 2] is in sync or online; bring one of them up first")
		if _, err := s.Undo(t.Context(), opts); strings.Contains(err.Error(), "--force") {
			t.Errorf("force %v: %v", force, err)
		}
	}
	s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOnline})
	mustUndo(t, s, metalog.UndoOptions{Seq: unclean, Force: true})

	s.Must(metalog.ReassignPartition{Topic: "orders", Replicas: events.BrokerIDs{1, 2, 8}})
	notUndone(t, s, metalog.UndoOptions{Seq: registered}, metalog.ErrConflict, "broker 8: still a replica", "--force does it nevertheless")
	mustUndo(t, s, metalog.UndoOptions{Seq: registered, Force: true})

	reset := s.Must(metalog.ResetOffsets{Group: "g", Topic: "orders", ToOffset: new(int64(1))}).Seq
	s.Must(metalog.UpdateGroup{ID: "g", Members: &[]events.Member{{ID: "m"}}, State: new(events.GroupStable)})
	notUndone(t, s, metalog.UndoOptions{Seq: reset}, metalog.ErrConflict, `group "g": it has 1 members`)
	mustUndo(t, s, metalog.UndoOptions{Seq: reset, Force: true})
}

// An undo that was planned on another state than it is decided on writes nothing.
func TestUndoOfWhatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cmd       metalog.Command
		meanwhile metalog.Command
	}{
		"the same key":          {metalog.SetConfig{Scope: scope(t, "topic/orders"), Config: events.Config{"a": "2"}}, metalog.SetConfig{Scope: scope(t, "topic/orders"), Config: events.Config{"a": "3"}}},
		"a namesake":            {metalog.DeleteTopic{Name: "orders"}, metalog.CreateTopic{Name: "orders", Partitions: 1, ReplicationFactor: 1}},
		"a group is gone":       {metalog.DeleteTopic{Name: "orders"}, metalog.DeleteGroup{ID: "h"}},
		"something in a topic":  {metalog.CreateTopic{Name: "new", Partitions: 1, ReplicationFactor: 1}, segment("new", 0, "s", 0, 1)},
		"an offset":             {metalog.DeleteOffsets{Group: "g", Topic: "orders"}, commit("g", "orders", 0, 1)},
		"an offset in a group":  {metalog.CreateGroup{ID: "new"}, commit("new", "orders", 0, 1)},
		"a broker's partitions": {metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline}, metalog.SetBrokerStatus{ID: 2, Status: events.BrokerOffline}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := storetest.Open(t)
			catalogue(t, s)
			seq := s.Must(test.cmd).Seq
			var after metalog.Info
			err := s.UndoPartly(t.Context(), metalog.UndoOptions{Seq: seq}, 1, func() {
				s.Must(test.meanwhile)
				after = s.MustInfo()
			})
			if events.CodeOf(err) != events.CodeConflict {
				t.Errorf("got %v, want a conflict", err)
			}
			if now := s.MustInfo(); now.Seq != after.Seq || now.Digest != after.Digest {
				t.Errorf("it left a trace: %+v, %+v", after, now)
			}
		})
	}
}
