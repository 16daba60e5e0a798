package views

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

func TestConfigs(t *testing.T) {
	_, tx := mustOpen(t)
	topic, group := putTopic(t, tx, 1, "orders"), putGroup(t, tx, 5, "billing")
	scopes := []events.Scope{
		{Of: events.EntityRef{Kind: events.KindCluster}},
		topicScope(topic),
		{Of: events.EntityRef{Kind: events.KindBroker, ID: "3"}},
		{Of: events.EntityRef{Kind: events.KindGroup, ID: group.ID}, GroupID: group.GroupID},
	}
	for n, scope := range scopes {
		if c, err := tx.Config(scope); err != nil || c.Revision != 0 || c.Scope != scope.Of {
			t.Errorf("%s before it was set: %+v, %v", scope.Of, c, err)
		}
		must(t, tx.PutConfig(scope, events.Config{"key": scope.Of.String()}, uint64(n+1)))
	}
	commit(t, tx)
	got := all(t, tx.Configs())
	if len(got) != len(scopes) {
		t.Fatalf("configs %+v", got)
	}
	for n, scope := range scopes {
		if got[n].Scope != scope.Of || got[n].Config["key"] != scope.Of.String() || got[n].Revision != uint64(n+1) {
			t.Errorf("%s: %+v", scope.Of, got[n])
		}
		must(t, tx.DeleteConfig(scope))
	}
	if err := tx.DeleteConfig(scopes[0]); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("delete of what is not there: %v", err)
	}
	for _, scope := range []events.EntityRef{{Kind: events.KindBroker, ID: "x"}, {Kind: events.KindProducer, ID: "1"}} {
		if _, err := tx.Config(events.Scope{Of: scope}); !errors.Is(err, events.ErrInvalid) {
			t.Errorf("config of %s: %v", scope, err)
		}
	}
	commit(t, tx)
}

// TestEmptyConfig: a replayed event has nil where the live one had no keys; both
// must make the same row.
func TestEmptyConfig(t *testing.T) {
	_, tx := mustOpen(t)
	scope := events.Scope{Of: events.EntityRef{Kind: events.KindCluster}}
	must(t, tx.PutConfig(scope, nil, 1))
	before := tx.Digest()
	must(t, tx.PutConfig(scope, events.Config{}, 1))
	if tx.Digest() != before {
		t.Error("nil and empty config make different rows")
	}
	commit(t, tx)
}

func TestCluster(t *testing.T) {
	_, tx := mustOpen(t)
	if log, err := tx.Log(); err != nil || log.Epoch != 0 {
		t.Errorf("log of empty views: %+v, %v", log, err)
	}
	if done, err := tx.SystemInitialized(); err != nil || done {
		t.Errorf("initialised from the start: %v, %v", done, err)
	}
	must(t, tx.SetLog(events.EpochStarted{LogID: uuid.Max, Epoch: 2, CommandWindow: 10, Fork: &events.Head{Seq: 5}}))
	must(t, tx.SetNextProducerID(1000))
	must(t, tx.SetSystemInitialized(3))
	commit(t, tx)
	if log, err := tx.Log(); err != nil || log.LogID != uuid.Max || log.Epoch != 2 || log.CommandWindow != 10 || log.Fork.Seq != 5 {
		t.Errorf("log %+v, %v", log, err)
	}
	if next, err := tx.NextProducerID(); err != nil || next != 1000 {
		t.Errorf("next producer id %d, %v", next, err)
	}
	if done, err := tx.SystemInitialized(); err != nil || !done {
		t.Errorf("initialised: %v, %v", done, err)
	}
}

func TestCascades(t *testing.T) {
	_, tx := mustOpen(t)
	late := Cascade{Kind: events.CascadeLogStart, Cause: events.Position{Seq: 300, Index: 2}, Partition: events.PartitionRef{Topic: "t", TopicID: id(1), Partition: 4}, LogStart: 77}
	early := Cascade{Kind: events.CascadeBrokerOffline, Cause: events.Position{Seq: 2, Index: 300}, Broker: 8}
	must(t, tx.PutCascade(late))
	must(t, tx.PutCascade(early))
	commit(t, tx)
	if got := all(t, tx.Cascades()); len(got) != 2 || got[0] != early || got[1] != late {
		t.Errorf("cascades %+v", got)
	}
	if got, err := tx.CascadeOf(late.Cause); err != nil || got != late {
		t.Errorf("cascade %+v, %v", got, err)
	}
	must(t, tx.DeleteCascade(early.Cause))
	if _, err := tx.CascadeOf(early.Cause); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("completed cascade: %v", err)
	}
	commit(t, tx)
}

func TestCommands(t *testing.T) {
	_, tx := mustOpen(t)
	for seq := uint64(1); seq <= 6; seq++ {
		if seq != 3 { // a record without a command id
			must(t, tx.PutCommand("actor", string(rune('a'+seq)), CommandRow{Hash: []byte{byte(seq)}, Seq: seq, Result: events.Result{Seq: seq, TopicID: id(byte(seq))}}))
		}
		commit(t, tx)
	}
	row, found, err := tx.Command("actor", "c")
	if err != nil || !found || row.Seq != 2 || row.Result.TopicID != id(2) || row.Hash[0] != 2 {
		t.Errorf("command %+v, %v, %v", row, found, err)
	}
	if _, found, err := tx.Command("acto", "rc"); err != nil || found {
		t.Errorf("another actor's command id: %v, %v", found, err)
	}
	must(t, tx.EvictCommands(4))
	must(t, tx.EvictCommands(2))
	for seq := uint64(1); seq <= 6; seq++ {
		_, found, err := tx.Command("actor", string(rune('a'+seq)))
		if err != nil || found != (seq > 4) {
			t.Errorf("command of seq %d after eviction up to 4: %v, %v", seq, found, err)
		}
	}
	if n := tx.Counts()["commands"]; n != 2 || tx.Checkpoint().CommandsEvicted != 4 {
		t.Errorf("%d commands left, evicted up to %d", n, tx.Checkpoint().CommandsEvicted)
	}
	if n := len(all(t, tx.scan(bucketCommandsBySeq.key()))); n != 2 {
		t.Errorf("%d rows in the index by seq, want 2", n)
	}
	commit(t, tx)
}
