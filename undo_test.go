package metalog_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// things are the rows of a state, by kind and name.
func things(t testing.TB, s interface {
	At(context.Context, metalog.Point) (metalog.View, error)
}, at metalog.Point) map[string]metalog.Thing {
	t.Helper()
	view, err := s.At(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	list, err := metalog.Things(view)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]metalog.Thing{}
	for _, thing := range list {
		rows[thing.Kind+" "+thing.Name] = thing
	}
	return rows
}

// mustDiffer are the fields that no undo can bring back where it has changed
// something: a plan lists them, and nothing else unless a test expects it.
var mustDiffer = []string{
	"topic id", "topic created_at", "topic updated_at", "topic revision",
	"segment topic_id", "segment created_at", "segment revision",
	"assignment topic_id", "assignment revision", "assignment leader_epoch", "assignment partition_epoch", "assignment leader_broker_epoch",
	"watermarks revision",
	"group group_id", "group created_at", "group updated_at", "group revision",
	"offset group_id", "offset topic_id", "offset committed_at", "offset revision",
	"broker epoch", "broker registered_at", "broker updated_at", "broker revision",
}

// checkBack checks that all that the undo reports to have brought back is in the
// state now as it was in before, but for the fields that it lists.
func checkBack(t testing.TB, before, now map[string]metalog.Thing, s metalog.UndoSummary, alsoDiffers ...string) {
	t.Helper()
	differs := map[string]bool{}
	for _, d := range s.Differs {
		field := d.Kind + " " + d.Field
		differs[field] = true
		if !slices.Contains(mustDiffer, field) && !slices.Contains(alsoDiffers, field) {
			t.Errorf("%s differs: %+v", field, d)
		}
	}
	lost := map[string]int{}
	for _, l := range s.Lost {
		lost[l.Kind] += l.Count
	}
	for name, was := range before {
		is, there := now[name]
		if !there {
			if lost[was.Kind]--; lost[was.Kind] < 0 {
				t.Errorf("%s did not come back, and the report does not say so", name)
			}
			continue
		}
		for field, value := range was.Fields {
			if got := is.Fields[field]; !reflect.DeepEqual(got, value) && !differs[was.Kind+" "+field] && !alwaysMoves(was.Kind, field) {
				t.Errorf("%s: %s was %v, is %v, and the report does not say so", name, field, value, got)
			}
		}
	}
	for name := range now {
		if _, was := before[name]; !was {
			t.Errorf("%s was not there before", name)
		}
	}
}

// alwaysMoves is for what an undo changes along: a topic's revision goes up with
// its config's.
func alwaysMoves(kind, field string) bool {
	return kind == "topic" && (field == "revision" || field == "updated_at")
}

func mustUndo(t testing.TB, s *storetest.Store, opts metalog.UndoOptions) metalog.UndoReport {
	t.Helper()
	plan, err := s.PlanUndo(t.Context(), opts)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	before := s.Seq()
	report, err := s.Undo(t.Context(), opts, metalog.WithActor("ops"), metalog.WithReason("by mistake"))
	if err != nil {
		t.Fatalf("undo of seq %d: %v", opts.Seq, err)
	}
	if len(report.Results) == 0 {
		t.Fatalf("undo of seq %d wrote nothing: %+v", opts.Seq, report)
	}
	if n := len(report.Results); n != report.RecordCount || n != plan.RecordCount {
		t.Errorf("%d records, the report says %d, the plan %d", n, report.RecordCount, plan.RecordCount)
	}
	checkUndoRecords(t, s, opts.Seq, before, plan)
	return report
}

// checkUndoRecords checks that the records after a seq are what the plan says, and
// name the record that they undo.
func checkUndoRecords(t testing.TB, s *storetest.Store, seq, before uint64, plan metalog.UndoPlan) {
	t.Helper()
	list := s.Select(metalog.EventQuery{From: before + 1})
	if len(plan.Events) != len(list) {
		t.Fatalf("planned %v, got %v", types(plan.Events), types(list))
	}
	for i, e := range list {
		p := plan.Events[i]
		if e.Type != p.Type || e.Entity != p.Entity || e.Derived != p.Derived {
			t.Errorf("event %d: planned %+v, got %+v", i, p, e)
		}
		if !e.Derived && (e.Cause == nil || e.Cause.Seq != seq) {
			t.Errorf("event %d.%d has cause %v, want seq %d", e.Seq, e.Index, e.Cause, seq)
		}
		if e.Actor != "ops" && e.Actor != metalog.SystemActor {
			t.Errorf("event %d.%d is by %q", e.Seq, e.Index, e.Actor)
		}
	}
}

func notUndone(t testing.TB, s *storetest.Store, opts metalog.UndoOptions, want error, texts ...string) {
	t.Helper()
	before, digest := s.Seq(), s.MustInfo().Digest
	_, err := s.Undo(t.Context(), opts)
	if !errors.Is(err, want) {
		t.Fatalf("undo of seq %d: got %v, want code %s", opts.Seq, err, events.CodeOf(want))
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
	if after := s.Seq(); after != before || s.MustInfo().Digest != digest {
		t.Errorf("a refused undo changed something: seq %d → %d", before, after)
	}
}

// Each command whose record can be undone, on a catalogue that has everything.
func TestUndoBringsBack(t *testing.T) {
	t.Parallel()
	info := metalog.SegmentInfo{ID: "new", StartOffset: 0, EndOffset: 199, Path: "/new", Attributes: events.Config{"x": "y"}}
	for name, test := range map[string]struct {
		prepare []metalog.Command
		cmd     metalog.Command
		force   bool
		differs []string
	}{
		"topic deleted":              {cmd: metalog.DeleteTopic{Name: "orders"}},
		"topic created":              {cmd: metalog.CreateTopic{Name: "new", Partitions: 2, ReplicationFactor: 1, Config: events.Config{"a": "b"}, Assignments: []metalog.TopicAssignment{{Replicas: events.BrokerIDs{1}}, {Replicas: events.BrokerIDs{2, 1}}}}},
		"topic updated":              {cmd: metalog.UpdateTopic{Name: "orders", ReplicationFactor: new(int32(7)), Config: &events.Config{"b": "2"}}},
		"topic's config":             {cmd: metalog.SetConfig{Scope: scope(t, "topic/orders"), Config: events.Config{"a": "2", "b": "3"}}},
		"topic's config deleted":     {cmd: metalog.DeleteConfig{Scope: scope(t, "topic/orders")}},
		"group's config deleted":     {cmd: metalog.DeleteConfig{Scope: scope(t, "group/g")}},
		"cluster's config":           {prepare: []metalog.Command{metalog.SetConfig{Scope: scope(t, "cluster"), Config: events.Config{"a": "1"}}}, cmd: metalog.SetConfig{Scope: scope(t, "cluster"), Config: events.Config{"a": "2", "b": "3"}}},
		"broker's config":            {cmd: metalog.SetConfig{Scope: scope(t, "broker/1"), Config: events.Config{"a": "2"}}},
		"segment added":              {cmd: segment("orders", 0, "new", 300, 399)},
		"segment removed":            {cmd: metalog.DeleteSegment{Topic: "orders", ID: "s0"}},
		"segments compacted":         {cmd: metalog.CompactSegments{Topic: "orders", Removed: []string{"s0", "s2"}, Added: []metalog.SegmentInfo{info}}},
		"segment compacted in place": {cmd: metalog.CompactSegments{Topic: "orders", Removed: []string{"s0"}, Added: []metalog.SegmentInfo{{ID: "s0", EndOffset: 5}}}},
		"broker registered":          {cmd: broker(7)},
		"broker moved":               {cmd: metalog.RegisterBroker{ID: 2, Host: "other", Port: 1, IncarnationID: [16]byte{15: 2}}},
		"broker back":                {prepare: []metalog.Command{metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline}}, cmd: broker(1), differs: []string{"assignment isr"}},
		"broker in maintenance":      {cmd: metalog.SetBrokerStatus{ID: 1, Status: events.BrokerMaintenance}},
		"broker offline":             {cmd: metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline}, differs: []string{"assignment isr", "assignment leader"}},
		"broker removed":             {prepare: []metalog.Command{broker(7), metalog.SetConfig{Scope: scope(t, "broker/7"), Config: events.Config{"a": "1"}}, metalog.SetBrokerStatus{ID: 7, Status: events.BrokerMaintenance}}, cmd: metalog.RemoveBroker{ID: 7}},
		"broker removed by force":    {cmd: metalog.RemoveBroker{ID: 2, Force: true}, differs: []string{"assignment isr"}},
		"partition assigned":         {prepare: []metalog.Command{metalog.CreateTopic{Name: "new", Partitions: 1, ReplicationFactor: 1}}, cmd: metalog.AssignPartition{Topic: "new", Replicas: events.BrokerIDs{1}}},
		"partition reassigned":       {prepare: []metalog.Command{broker(3)}, cmd: metalog.ReassignPartition{Topic: "orders", Replicas: events.BrokerIDs{2, 3}}, differs: []string{"assignment isr", "assignment leader"}},
		"leader elected":             {cmd: metalog.ElectLeader{Topic: "orders", Leader: 2}},
		"leader taken away":          {cmd: metalog.ElectLeader{Topic: "orders", Leader: events.NoLeader}},
		"ISR shrunk":                 {cmd: metalog.ChangeISR{Topic: "orders", ISR: events.BrokerIDs{1}}},
		"group created":              {cmd: metalog.CreateGroup{ID: "new"}},
		"group deleted":              {cmd: metalog.DeleteGroup{ID: "g"}},
		"group updated":              {cmd: metalog.UpdateGroup{ID: "h", State: new(events.GroupStable), Protocol: new("range")}},
		"group dead":                 {cmd: metalog.UpdateGroup{ID: "h", State: new(events.GroupDead)}},
		"generation":                 {cmd: metalog.UpdateGroup{ID: "h", Generation: new(int32(4)), Members: &[]events.Member{}, Protocol: new("x")}, differs: []string{"group generation"}},
		"offset committed":           {cmd: commit("g", "orders", 0, 77)},
		"first offset committed":     {cmd: commit("g", "orders", 1, 77)},
		"offsets reset":              {cmd: metalog.ResetOffsets{Group: "g", Topic: "orders", ToOffset: new(int64(3))}},
		"offsets deleted":            {cmd: metalog.DeleteOffsets{Group: "g", Topic: "orders"}},
		"offsets expired":            {cmd: metalog.ExpireOffsets{Group: "g", Before: 1 << 62}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := storetest.Open(t)
			catalogue(t, s)
			s.Must(metalog.SetConfig{Scope: scope(t, "broker/1"), Config: events.Config{"a": "1"}})
			for _, cmd := range test.prepare {
				s.Must(cmd)
			}
			before := things(t, s, metalog.Point{})
			seq := s.Must(test.cmd).Seq
			report := mustUndo(t, s, metalog.UndoOptions{Seq: seq, Force: test.force})
			after := things(t, s, metalog.Point{})
			checkBack(t, before, after, report.UndoSummary, test.differs...)

			again, err := s.Undo(t.Context(), metalog.UndoOptions{Seq: seq})
			if err != nil || len(again.Results) != 0 || !slices.Equal(again.UndoneBy, []uint64{report.Results[0].Seq}) {
				t.Errorf("the same undo again: %+v, %v", again, err)
			}
		})
	}
}

// Leader epochs of a topic that comes back are as they were: clients that know them
// are not fenced, and its high watermark keeps the one that it was reached under.
func TestUndoKeepsLeaderEpochs(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	catalogue(t, s)
	s.Must(metalog.ElectLeader{Topic: "orders", Leader: 2})
	s.Must(metalog.ElectLeader{Topic: "orders", Leader: 1})
	s.Must(metalog.AdvanceWatermarks{Topic: "orders", High: new(int64(90)), LogStart: new(int64(20))})
	before, err := s.GetPartition(t.Context(), "orders", 0)
	if err != nil || before.LeaderEpoch != 2 {
		t.Fatalf("%+v, %v", before, err)
	}
	report := mustUndo(t, s, metalog.UndoOptions{Seq: s.Must(metalog.DeleteTopic{Name: "orders"}).Seq})
	for _, d := range report.Differs {
		if strings.HasSuffix(d.Field, "epoch") {
			t.Errorf("%+v", d)
		}
	}
	after, err := s.GetPartition(t.Context(), "orders", 0)
	before.TopicID, before.Revision = after.TopicID, after.Revision
	if err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("before %+v\nafter %+v, %v", before, after, err)
	}
	// A leader that has been away leads under a new one.
	deleted := s.Must(metalog.DeleteTopic{Name: "orders"}).Seq
	s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline})
	s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOnline})
	mustUndo(t, s, metalog.UndoOptions{Seq: deleted})
	if p, err := s.GetPartition(t.Context(), "orders", 0); err != nil || p.Leader != 1 || p.LeaderEpoch != 3 || !slices.Equal(p.ISR, before.ISR) {
		t.Errorf("%+v, %v", p, err)
	}
}

// Brokers that are gone or offline hold, lead and sync nothing of what comes back.
func TestUndoRespectsTodaysBrokers(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	catalogue(t, s)
	s.Must(metalog.CreateTopic{Name: "lone", Partitions: 1, ReplicationFactor: 1, Assignments: []metalog.TopicAssignment{{Replicas: events.BrokerIDs{1}}}})
	orders, lone := s.Must(metalog.DeleteTopic{Name: "orders"}).Seq, s.Must(metalog.DeleteTopic{Name: "lone"}).Seq
	s.Must(metalog.SetBrokerStatus{ID: 2, Status: events.BrokerOffline})
	s.Must(metalog.DeleteTopic{Name: "clicks"})
	s.Must(metalog.RemoveBroker{ID: 1})
	report := mustUndo(t, s, metalog.UndoOptions{Seq: orders})
	checkPartition(t, s, 0, events.BrokerIDs{2}, events.BrokerIDs{2}, events.NoLeader, 1)
	checkPartition(t, s, 1, events.BrokerIDs{2}, events.BrokerIDs{2}, events.NoLeader, 1)
	for _, field := range []string{"replicas", "isr", "leader"} {
		if !slices.ContainsFunc(report.Differs, func(d metalog.UndoDifference) bool { return d.Kind == "assignment" && d.Field == field }) {
			t.Errorf("the report does not say that %s differ: %+v", field, report.Differs)
		}
	}
	report = mustUndo(t, s, metalog.UndoOptions{Seq: lone})
	if want := (metalog.UndoLoss{Kind: "assignment", Count: 1, First: `topic "lone", partition 0`, Why: "none of the brokers that held it is registered"}); !slices.Contains(report.Lost, want) {
		t.Errorf("lost %+v, want %+v", report.Lost, want)
	}
}

func TestUndoOfTopicDeleteTellsWhatDiffers(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	catalogue(t, s)
	seq := s.Must(metalog.DeleteTopic{Name: "orders"}, metalog.WithActor("alice")).Seq
	plan, err := s.PlanUndo(t.Context(), metalog.UndoOptions{Seq: seq})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Undoes.Actor != "alice" || plan.Undoes.Type != "TopicDeleted" {
		t.Errorf("%+v", plan.Undoes)
	}
	var lost []string
	for _, l := range plan.Lost {
		lost = append(lost, fmt.Sprint(l.Count, " ", l.Kind))
	}
	if want := []string{"1 pending offset", "1 partition in a transaction", "3 segment file"}; !slices.Equal(lost, want) {
		t.Errorf("lost %v, want %v", lost, want)
	}
}

// differenceIn returns what differs in a field of things of one kind.
func differenceIn(s metalog.UndoSummary, kind, field string) metalog.UndoDifference {
	i := slices.IndexFunc(s.Differs, func(d metalog.UndoDifference) bool { return d.Kind == kind && d.Field == field })
	if i < 0 {
		return metalog.UndoDifference{}
	}
	return s.Differs[i]
}

// A plan shows no id that the undo would draw anew, and lists as JSON has them.
func TestUndoShowsValues(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	catalogue(t, s)
	deleted := metalog.UndoOptions{Seq: s.Must(metalog.DeleteTopic{Name: "orders"}).Seq}
	plan, err := s.PlanUndo(t.Context(), deleted)
	if err != nil {
		t.Fatal(err)
	}
	report := mustUndo(t, s, deleted)
	topic, err := s.GetTopic(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	for kind, field := range map[string]string{"topic": "id", "segment": "topic_id", "offset": "topic_id"} {
		planned, done := differenceIn(plan.UndoSummary, kind, field), differenceIn(report.UndoSummary, kind, field)
		if planned.After != "new" || planned.Before != done.Before || done.After != topic.ID.String() {
			t.Errorf("%s %s: planned %+v, done %+v", kind, field, planned, done)
		}
	}
	registerBrokers(s, 7)
	unclean := s.Must(metalog.ReassignPartition{Topic: "orders", Replicas: events.BrokerIDs{7}, Unclean: true}).Seq
	s.Must(metalog.SetBrokerStatus{ID: 2, Status: events.BrokerOffline})
	report = mustUndo(t, s, metalog.UndoOptions{Seq: unclean, Force: true})
	if isr := differenceIn(report.UndoSummary, "assignment", "isr"); isr.Before != "[1,2]" || isr.After != "[1]" {
		t.Errorf("isr: %+v", isr)
	}
}
