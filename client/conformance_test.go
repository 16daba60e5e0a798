package client_test

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/service"
)

// step calls one method of a MetadataStore.
type step struct {
	name string
	call func(context.Context, metalog.MetadataStore) (any, error)
	code events.Code // of the error; empty: none
}

func ptr[T any](v T) *T { return &v }

// answer makes a call of a method that takes only a context.
func answer[T any](method func(metalog.MetadataStore, context.Context) (T, error)) func(context.Context, metalog.MetadataStore) (any, error) {
	return func(ctx context.Context, s metalog.MetadataStore) (any, error) { return method(s, ctx) }
}

// list makes a call of a method that lists.
func list[T any](method func(metalog.MetadataStore, context.Context) iter.Seq2[T, error]) func(context.Context, metalog.MetadataStore) (any, error) {
	return func(ctx context.Context, s metalog.MetadataStore) (any, error) {
		return metalog.Collect(method(s, ctx))
	}
}

// command makes a call of Execute.
func command(cmd metalog.Command, opts ...metalog.CommandOption) func(context.Context, metalog.MetadataStore) (any, error) {
	return func(ctx context.Context, s metalog.MetadataStore) (any, error) {
		return s.Execute(ctx, cmd, metalog.NewCommandOptions(opts...))
	}
}

// readEvents makes a call of Events that gathers what it yields.
func readEvents(query metalog.EventQuery) func(context.Context, metalog.MetadataStore) (any, error) {
	return func(ctx context.Context, s metalog.MetadataStore) (any, error) {
		list, selected := []events.EventView{}, s.Events(ctx, query)
		for range 2 { // each range begins anew
			list = list[:0]
			for e, err := range selected {
				if err != nil {
					return list, err
				}
				list = append(list, e)
			}
		}
		return list, nil
	}
}

// diff makes a call of Diff that gathers what it yields.
func diff(from, to metalog.Point, entities ...string) func(context.Context, metalog.MetadataStore) (any, error) {
	return func(ctx context.Context, s metalog.MetadataStore) (any, error) {
		d, err := s.(interface {
			Diff(ctx context.Context, from, to metalog.Point, opts metalog.DiffOptions) (*metalog.Diff, error)
		}).Diff(ctx, from, to, metalog.DiffOptions{Entities: entities})
		if err != nil {
			return nil, err
		}
		list := []any{d.From, d.To}
		for difference, err := range d.Differences {
			if err != nil {
				return nil, err
			}
			list = append(list, difference)
		}
		return list, nil
	}
}

// readHistory makes a call of History that gathers what it yields, in all pages.
func readHistory(query metalog.HistoryQuery) func(context.Context, metalog.MetadataStore) (any, error) {
	return func(ctx context.Context, s metalog.MetadataStore) (any, error) {
		list, q := []metalog.TreeEvent{}, query
		for {
			before := len(list)
			for e, err := range s.History(ctx, q) {
				if err != nil {
					return list, err
				}
				list = append(list, e)
				q.After = &events.Position{Seq: e.Seq, Index: e.Index}
			}
			if q.Limit == 0 || len(list) == before {
				return list, nil
			}
		}
	}
}

// readCascade makes a call of Cascade that gathers what it yields.
func readCascade(query metalog.CascadeQuery) func(context.Context, metalog.MetadataStore) (any, error) {
	return func(ctx context.Context, s metalog.MetadataStore) (any, error) {
		list := []metalog.TreeEvent{}
		for e, err := range s.Cascade(ctx, query) {
			if err != nil {
				return list, err
			}
			list = append(list, e)
		}
		return list, nil
	}
}

func blame(entity string, at metalog.Point) func(context.Context, metalog.MetadataStore) (any, error) {
	return func(ctx context.Context, s metalog.MetadataStore) (any, error) { return s.Blame(ctx, entity, at) }
}

var (
	producer = metalog.Producer{TransactionalID: "tx", ProducerID: 1}
	commit   = metalog.OffsetCommit{Topic: "orders", Offset: 7, LeaderEpoch: ptr[int32](3), Metadata: "half <way> & \u2028"}
	first    = metalog.SegmentInfo{ID: "s1", StartOffset: 0, EndOffset: 9, Attributes: events.Config{"a": "b"}, MinTimestamp: 12}
	second   = metalog.SegmentInfo{ID: "s2", StartOffset: 10, EndOffset: 19}
)

var writes = []step{
	{"init", command(metalog.InitSystem{}), ""},
	{"init again", command(metalog.InitSystem{}), ""},
	{"register broker", command(metalog.RegisterBroker{ID: 1, Host: "h", Port: 9092, Rack: "r", Endpoints: []events.Endpoint{{Name: "tls", Host: "h", Port: 1}}}, metalog.WithActor("ops"), metalog.WithReason("new\nrack ")), ""},
	{"register another", command(metalog.RegisterBroker{ID: 2, Host: "h", Port: 9093}), ""},
	{"register a third", command(metalog.RegisterBroker{ID: 3, Host: "h", Port: 9094}), ""},
	{"create topic", command(metalog.CreateTopic{Name: "orders", Partitions: 3, ReplicationFactor: 2, Config: events.Config{"k": "v"}}, metalog.WithCommandID("id 1%/é"), metalog.WithActor("ops")), ""},
	{"create topic, repeated", command(metalog.CreateTopic{Name: "orders", Partitions: 3, ReplicationFactor: 2, Config: events.Config{"k": "v"}}, metalog.WithCommandID("id 1%/é"), metalog.WithActor("ops")), ""},
	{"create topic, id used", command(metalog.CreateTopic{Name: "other", Partitions: 1, ReplicationFactor: 1}, metalog.WithCommandID("id 1%/é"), metalog.WithActor("ops")), events.CodeConflict},
	{"create topic, exists", command(metalog.CreateTopic{Name: "orders", Partitions: 3, ReplicationFactor: 2}), events.CodeAlreadyExists},
	{"create topic, bad name", command(metalog.CreateTopic{Name: "a b", Partitions: 3, ReplicationFactor: 2}), events.CodeInvalid},
	{"create group, not UTF-8", command(metalog.CreateGroup{ID: "a\xff"}), events.CodeInvalid},
	{"create group of a replacement character", command(metalog.CreateGroup{ID: "a\ufffd\\ufffd"}), ""},
	{"create topic with replicas", command(metalog.CreateTopic{Name: "paid", Partitions: 1, ReplicationFactor: 1, Assignments: []metalog.TopicAssignment{{Replicas: events.BrokerIDs{2}}}}), ""},
	{"update topic", command(metalog.UpdateTopic{Name: "paid", Config: &events.Config{"x": "y"}}, metalog.IfRevision(1)), events.CodeConflict},
	{"update topic's config", command(metalog.UpdateTopic{Name: "paid", Config: &events.Config{}}), ""},
	{"add partitions", command(metalog.AddPartitions{Name: "orders", Total: 4}), ""},
	{"add fewer partitions", command(metalog.AddPartitions{Name: "orders", Total: 1}), events.CodeInvalid},
	{"add segment", command(metalog.AddSegment{Topic: "orders", SegmentInfo: first}), ""},
	{"compact", command(metalog.CompactSegments{Topic: "orders", Removed: []string{"s1"}, Added: []metalog.SegmentInfo{second}}), ""},
	{"add segment again", command(metalog.AddSegment{Topic: "orders", SegmentInfo: first}), ""},
	{"compact nothing", command(metalog.CompactSegments{Topic: "orders", Added: []metalog.SegmentInfo{second}}), events.CodeInvalid},
	{"delete segment", command(metalog.DeleteSegment{Topic: "orders", ID: "none"}), events.CodeNotFound},
	{"assign", command(metalog.AssignPartition{Topic: "orders", Replicas: events.BrokerIDs{1, 2}}), ""},
	{"reassign", command(metalog.ReassignPartition{Topic: "orders", Replicas: events.BrokerIDs{2, 3}, Leader: ptr[int32](2)}), ""},
	{"elect", command(metalog.ElectLeader{Topic: "orders", Leader: 2, LeaderEpoch: ptr[int32](99)}), events.CodeFenced},
	{"change ISR", command(metalog.ChangeISR{Topic: "orders", ISR: events.BrokerIDs{2}}), ""},
	{"advance", command(metalog.AdvanceWatermarks{Topic: "orders", High: ptr[int64](100), LogStart: ptr[int64](5)}), ""},
	{"go back", command(metalog.AdvanceWatermarks{Topic: "orders", LogStart: ptr[int64](0)}), events.CodeOutOfRange},
	{"create group", command(metalog.CreateGroup{ID: "g", ProtocolType: "consumer"}), ""},
	{"commit", command(metalog.CommitOffsets{Group: "g", Offsets: []metalog.OffsetCommit{commit, {Topic: "paid", Offset: 1}}}, metalog.WithCause(events.Position{Seq: 2})), ""},
	{"commit nothing", command(metalog.CommitOffsets{Group: "g"}), events.CodeInvalid},
	{"reset", command(metalog.ResetOffsets{Group: "g", Topic: "orders", Partitions: []int32{0}, ShiftBy: ptr[int64](3)}), ""},
	{"expire", command(metalog.ExpireOffsets{Group: "g", Before: 1}), ""},
	{"delete offsets", command(metalog.DeleteOffsets{Group: "g", Topic: "paid", Partition: ptr[int32](0)}), ""},
	{"update group", command(metalog.UpdateGroup{ID: "g", State: ptr(events.GroupStable), Generation: ptr[int32](4), Members: &[]events.Member{{ID: "m", Metadata: []byte{0, 255}}}}), ""},
	{"delete group with members", command(metalog.DeleteGroup{ID: "g"}), events.CodeConflict},
	{"set config", command(metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindCluster}, Config: events.Config{"a": "1", "b": "2"}}), ""},
	{"delete config", command(metalog.DeleteConfig{Scope: events.EntityRef{Kind: events.KindCluster}, Keys: []string{"a"}}), ""},
	{"set config of nothing", command(metalog.SetConfig{Config: events.Config{"a": "1"}}), events.CodeInvalid},
	{"allocate", command(metalog.AllocateProducerIDs{Count: 10}), ""},
	{"begin", command(metalog.BeginTransaction{Producer: producer}), ""},
	{"add to transaction", command(metalog.AddTransactionPartitions{Producer: producer, Partitions: []metalog.TransactionPartition{{Topic: "orders", Partition: 1}}}), ""},
	{"add offsets to transaction", command(metalog.AddTransactionOffsets{Producer: producer, Group: "g"}), ""},
	{"commit in transaction", command(metalog.CommitTransactionOffsets{Producer: producer, Group: "g", Offsets: []metalog.OffsetCommit{commit}, Generation: ptr[int32](4), MemberID: "m"}), ""},
	{"prepare", command(metalog.PrepareTransaction{Producer: producer, Outcome: metalog.OutcomeCommit}), ""},
	{"abort what commits", command(metalog.AbortTransaction{Producer: producer}), events.CodeConflict},
	{"commit transaction", command(metalog.CommitTransaction{Producer: producer}), ""},
	{"fence", command(metalog.FenceProducer{TransactionalID: "tx"}), ""},
	{"begin fenced", command(metalog.BeginTransaction{Producer: producer}), events.CodeFenced},
	{"start import", command(metalog.StartImport{Source: "s"}), ""},
	{"complete import", command(metalog.CompleteImport{Source: "s", Imported: map[string]uint64{"topics": 2}}), ""},
	{"broker offline", command(metalog.SetBrokerStatus{ID: 2, Status: events.BrokerOffline}), ""},
	{"remove broker", command(metalog.RemoveBroker{ID: 3}), events.CodeConflict},
	{"write through a method", answer(func(s metalog.MetadataStore, ctx context.Context) (metalog.Result, error) {
		return s.DeleteTopic(ctx, metalog.DeleteTopic{Name: "paid"}, metalog.WithActor("x"))
	}), ""},
}

var queries = []step{
	{"topic", answer(func(s metalog.MetadataStore, ctx context.Context) (events.Topic, error) {
		return s.GetTopic(ctx, "orders")
	}), ""},
	{"no topic", answer(func(s metalog.MetadataStore, ctx context.Context) (events.Topic, error) {
		return s.GetTopic(ctx, "none")
	}), events.CodeNotFound},
	{"topics", list(metalog.MetadataStore.ListTopics), ""},
	{"segment", answer(func(s metalog.MetadataStore, ctx context.Context) (events.Segment, error) {
		return s.GetSegment(ctx, "orders", "s1")
	}), ""},
	{"segments", list(func(s metalog.MetadataStore, ctx context.Context) iter.Seq2[events.Segment, error] {
		return s.ListSegments(ctx, "orders", metalog.AllPartitions)
	}), ""},
	{"segments of a partition", list(func(s metalog.MetadataStore, ctx context.Context) iter.Seq2[events.Segment, error] {
		return s.ListSegments(ctx, "orders", 1)
	}), ""},
	{"segments beyond", list(func(s metalog.MetadataStore, ctx context.Context) iter.Seq2[events.Segment, error] {
		return s.ListSegments(ctx, "orders", 99)
	}), events.CodeOutOfRange},
	{"find", answer(func(s metalog.MetadataStore, ctx context.Context) (events.Segment, error) {
		return s.FindSegment(ctx, "orders", 0, 12)
	}), ""},
	{"find below", answer(func(s metalog.MetadataStore, ctx context.Context) (events.Segment, error) {
		return s.FindSegment(ctx, "orders", 0, 0)
	}), events.CodeOutOfRange},
	{"broker", answer(func(s metalog.MetadataStore, ctx context.Context) (events.Broker, error) { return s.GetBroker(ctx, 1) }), ""},
	{"brokers", list(metalog.MetadataStore.ListBrokers), ""},
	{"partition", answer(func(s metalog.MetadataStore, ctx context.Context) (events.Partition, error) {
		return s.GetPartition(ctx, "orders", 0)
	}), ""},
	{"partitions", list(func(s metalog.MetadataStore, ctx context.Context) iter.Seq2[events.Partition, error] {
		return s.ListPartitions(ctx, "orders")
	}), ""},
	{"leader", answer(func(s metalog.MetadataStore, ctx context.Context) (events.Broker, error) {
		return s.GetPartitionLeader(ctx, "orders", 0)
	}), events.CodeNotFound},
	{"replicas", answer(func(s metalog.MetadataStore, ctx context.Context) (events.BrokerIDs, error) {
		return s.GetPartitionReplicas(ctx, "orders", 0)
	}), ""},
	{"group", answer(func(s metalog.MetadataStore, ctx context.Context) (events.Group, error) { return s.GetGroup(ctx, "g") }), ""},
	{"groups", list(metalog.MetadataStore.ListGroups), ""},
	{"offset", answer(func(s metalog.MetadataStore, ctx context.Context) (events.Offset, error) {
		return s.GetOffset(ctx, "g", "orders", 0)
	}), ""},
	{"offsets", list(func(s metalog.MetadataStore, ctx context.Context) iter.Seq2[events.Offset, error] {
		return s.ListOffsets(ctx, "g")
	}), ""},
	{"offsets of a topic", list(func(s metalog.MetadataStore, ctx context.Context) iter.Seq2[events.Offset, error] {
		return s.ListTopicOffsets(ctx, "orders")
	}), ""},
	{"config", answer(func(s metalog.MetadataStore, ctx context.Context) (events.ConfigEntry, error) {
		return s.GetConfig(ctx, events.EntityRef{Kind: events.KindTopic, ID: "orders"})
	}), ""},
	{"configs", list(metalog.MetadataStore.ListConfigs), ""},
	{"transaction", answer(func(s metalog.MetadataStore, ctx context.Context) (events.Transaction, error) {
		return s.GetTransaction(ctx, "tx")
	}), ""},
	{"transactions", list(metalog.MetadataStore.ListTransactions), ""},
	{"info", answer(func(s metalog.MetadataStore, ctx context.Context) (metalog.Info, error) {
		info, err := s.Info(ctx)
		info.Checkpoint, info.LogBytes, info.ViewsBytes = 0, 0, 0 // when they are flushed is not told
		return info, err
	}), ""},
	{"all events", readEvents(metalog.EventQuery{}), ""},
	{"diff", diff(metalog.Point{Seq: 4}, metalog.Point{}), ""},
	{"diff the other way round", diff(metalog.Point{}, metalog.Point{Seq: 4}, "topic/orders", "offset"), ""},
	{"diff beyond the head", diff(metalog.Point{Seq: 4}, metalog.Point{Seq: 1 << 40}), events.CodeOutOfRange},
	{"diff of what is no entity", diff(metalog.Point{Seq: 4}, metalog.Point{}, "nothing"), events.CodeInvalid},
	{"some events", readEvents(metalog.EventQuery{From: 3, To: 30, Types: []string{"TopicCreated", "OffsetCommitted"}, Limit: 2}), ""},
	{"events of an entity", readEvents(metalog.EventQuery{Entity: events.EntityRef{Kind: events.KindGroup, ID: "g"}}), ""},
	{"events of an unknown type", readEvents(metalog.EventQuery{Types: []string{"None"}}), events.CodeInvalid},
	{"no events", readEvents(metalog.EventQuery{From: 5, To: 4}), ""},
	{"events beyond the log", readEvents(metalog.EventQuery{From: 1 << 40}), events.CodeOutOfRange},
	{"events by who did it", readEvents(metalog.EventQuery{Actor: "ops", Derived: ptr(false)}), ""},
	{"events by cause", readEvents(metalog.EventQuery{Cause: metalog.EventRef{Seq: 2}, Since: metalog.Point{Seq: 3}}), ""},
	{"history", readHistory(metalog.HistoryQuery{Entity: "topic/orders"}), ""},
	{"history of a deleted topic, in pages", readHistory(metalog.HistoryQuery{Entity: "topic/paid", NewestFirst: true, Limit: 3}), ""},
	{"history with cascades", readHistory(metalog.HistoryQuery{Entity: "broker/2", Cascade: true, Derived: ptr(false)}), ""},
	{"history of an offset", readHistory(metalog.HistoryQuery{Entity: "group/g/offset/orders/0", Types: []string{"OffsetCommitted"}, Until: metalog.Point{Seq: 1000}}), ""},
	{"history of nothing", readHistory(metalog.HistoryQuery{Entity: "topic/none"}), events.CodeNotFound},
	{"history of what can't be", readHistory(metalog.HistoryQuery{Entity: "planet/x"}), events.CodeInvalid},
	{"cascade", readCascade(metalog.CascadeQuery{Of: metalog.EventRef{Seq: 2}}), ""},
	{"cascade of nothing", readCascade(metalog.CascadeQuery{Of: metalog.EventRef{Seq: 1 << 40}}), events.CodeNotFound},
	{"blame", blame("topic/orders/partition/0", metalog.Point{}), ""},
	{"blame of a deleted topic", blame("topic/paid", metalog.Point{}), ""},
	{"blame earlier", blame("topic/orders", metalog.Point{Seq: 12}), ""},
	{"blame of nothing", blame("broker/77", metalog.Point{}), events.CodeNotFound},
	{"plan", answer(func(s metalog.MetadataStore, ctx context.Context) ([]events.EventView, error) {
		return s.Plan(ctx, metalog.DeleteTopic{Name: "orders"}, metalog.WithActor("me"))
	}), ""},
	{"plan under a condition", answer(func(s metalog.MetadataStore, ctx context.Context) ([]events.EventView, error) {
		return s.Plan(ctx, metalog.DeleteTopic{Name: "orders"}, metalog.IfRevision(1))
	}), events.CodeConflict},
	{"view", answer(func(s metalog.MetadataStore, ctx context.Context) (uint64, error) {
		view, err := s.View(ctx, 3)
		if err != nil {
			return 0, err
		}
		if _, err := metalog.Collect(view.ListTopics(ctx)); err != nil {
			return 0, err
		}
		return view.Seq(), view.Close()
	}), ""},
}

// TestConformance gives a store and a client of another store the same calls,
// and wants the same answers and errors.
func TestConformance(t *testing.T) {
	local := openStore(t)
	remote := openStore(t)
	server := startNATS(t)
	var asked sync.Map // operation: true
	serve(t, remote, server, service.Options{
		Observe: func(op string, _ events.Code, _ time.Duration) { asked.Store(op, true) },
	})
	c := connect(t, server, client.Options{})
	for _, s := range append(writes, queries...) {
		wanted, wantedErr := s.call(t.Context(), local)
		got, err := s.call(t.Context(), c)
		if code := codeOf(wantedErr); code != s.code {
			t.Fatalf("%s: the store says %q (%v), want %q", s.name, code, wantedErr, s.code)
		}
		if codeOf(err) != s.code {
			t.Errorf("%s: error %v (%s), want %v (%s)", s.name, err, codeOf(err), wantedErr, s.code)
		}
		// What is invalid may be found out by whoever reads it first.
		if s.code != events.CodeInvalid && text(err) != text(wantedErr) {
			t.Errorf("%s: error\n%v, want\n%v", s.name, err, wantedErr)
		}
		if got, wanted := encoded(t, got), encoded(t, wanted); err == nil && got != wanted {
			t.Errorf("%s: answer\n%s, want\n%s", s.name, got, wanted)
		}
	}
	checkAllAsked(t, server, &asked)
}

// beyondStore are the operations that MetadataStore does not have. They have tests
// of their own.
var beyondStore = []string{"verify", "undo", "undo.plan", "snapshot.create", "snapshot.list", "backup", "rebuild", "archive", "archive.list", "archive.prune", "log.read"}

// checkAllAsked keeps the tables above complete.
func checkAllAsked(t *testing.T, server *natsserver.Server, asked *sync.Map) {
	t.Helper()
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	reply, err := nc.RequestWithContext(t.Context(), "$SRV.INFO.metalog", nil)
	if err != nil {
		t.Fatal(err)
	}
	var info micro.Info
	if err := json.Unmarshal(reply.Data, &info); err != nil {
		t.Fatal(err)
	}
	for _, endpoint := range info.Endpoints {
		_, op, _ := strings.Cut(endpoint.Subject, ".api.")
		if _, ok := asked.Load(op); !ok && !slices.Contains(beyondStore, op) {
			t.Errorf("no step asks for %s", op)
		}
	}
	if len(info.Endpoints) < len(metalog.Ops()) {
		t.Errorf("the service has %d endpoints, fewer than there are commands", len(info.Endpoints))
	}
}

func codeOf(err error) events.Code {
	if err == nil {
		return ""
	}
	return events.CodeOf(err)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
