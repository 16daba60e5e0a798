package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// batchOf makes a request of several commands.
func batchOf(t *testing.T, cmds ...metalog.Command) *nats.Msg {
	t.Helper()
	var orders []wire.Order
	for _, cmd := range cmds {
		order, err := wire.EncodeOrder(cmd, metalog.CommandOptions{})
		if err != nil {
			t.Fatal(err)
		}
		orders = append(orders, order)
	}
	body, err := wire.EncodeBatch(orders)
	if err != nil {
		t.Fatal(err)
	}
	return request(cmds[0].Op(), string(body), wire.HeaderBatch, fmt.Sprint(len(cmds)))
}

func groups(n int) (cmds []metalog.Command) {
	for i := range n {
		cmds = append(cmds, metalog.CreateGroup{ID: fmt.Sprint("g", i)})
	}
	return cmds
}

// TestRefusedBatches: what is no batch that the server takes is refused as a whole.
func TestRefusedBatches(t *testing.T) {
	f := start(t, Options{MaxConcurrent: 4})
	good := batchOf(t, groups(2)...)
	with := func(name, value string) *nats.Msg {
		msg := request("group.create", string(good.Data), wire.HeaderBatch, "2")
		msg.Header.Set(name, value)
		return msg
	}
	for _, c := range []struct {
		name    string
		request *nats.Msg
		code    events.Code
		message string
	}{
		{"another number of commands", with(wire.HeaderBatch, "3"), events.CodeInvalid, "has 2 commands, not 3"},
		{"no number", with(wire.HeaderBatch, "many"), events.CodeInvalid, wire.HeaderBatch},
		{"no commands", with(wire.HeaderBatch, "0"), events.CodeInvalid, wire.HeaderBatch},
		{"at a point", with(wire.HeaderAt, "1"), events.CodeInvalid, wire.HeaderAt},
		{"too many", batchOf(t, groups(5)...), events.CodeTooLarge, "takes 4"},
		{"not a batch", request("group.create", `{"id":"g"}`, wire.HeaderBatch, "1"), events.CodeInvalid, "not a batch"},
	} {
		reply := f.ask(t, c.request)
		var e wire.Error
		if err := json.Unmarshal(reply.Data, &e); err != nil {
			t.Fatalf("%s: %q: %v", c.name, reply.Data, err)
		}
		if e.Code != c.code || !strings.Contains(e.Message, c.message) || reply.Header.Get(micro.ErrorCodeHeader) != string(c.code) {
			t.Errorf("%s: %s %q, want %s with %q", c.name, e.Code, e.Message, c.code, c.message)
		}
		if got := reply.Header.Get(wire.HeaderBatch); got != "4" {
			t.Errorf("%s: takes batches of %q, want 4", c.name, got)
		}
	}
	if seq := f.store.Log().Head().Seq; seq != 1 {
		t.Errorf("head is at seq %d: something was appended", seq)
	}
}

// TestLargeBatchAnswer comes in parts.
func TestLargeBatchAnswer(t *testing.T) {
	f := start(t, Options{})
	cmds := make([]metalog.Command, 100)
	for i := range cmds {
		cmds[i] = metalog.DeleteGroup{ID: strings.Repeat("g", 8000)} // which the message quotes
	}
	inbox, err := f.asker.SubscribeSync(f.asker.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	msg := batchOf(t, cmds...)
	msg.Reply = inbox.Subject
	if err := f.asker.PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	var body []byte
	parts := 0
	for more := true; more; parts++ {
		part, err := inbox.NextMsgWithContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		body, more = append(body, part.Data...), part.Header.Get(wire.HeaderMore) != ""
	}
	outcomes, err := wire.DecodeOutcomes(body, len(cmds))
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if !errors.Is(o.Err, metalog.ErrInvalid) {
			t.Errorf("command %d: %.100v", i, o.Err)
		}
	}
	if parts != len(wire.Parts(body)) {
		t.Errorf("%d parts for %d bytes", parts, len(body))
	}
}

// TestSlotsCountCommands: each command of a batch takes a place, and two batches that
// together are more than there are places come one after the other.
func TestSlotsCountCommands(t *testing.T) {
	throttled, open := make(chan struct{}, 2), make(chan struct{})
	f := startThrottled(t, Options{MaxConcurrent: 4}, func(context.Context) error {
		throttled <- struct{}{}
		<-open
		return nil
	})
	f.ask(t, request("topic.create", `{"name":"t","partitions":1,"replication_factor":1}`))
	inbox, err := f.asker.SubscribeSync(f.asker.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	high := int64(5)
	send := func(cmds ...metalog.Command) {
		msg := batchOf(t, cmds...)
		msg.Reply = inbox.Subject
		if err := f.asker.PublishMsg(msg); err != nil {
			t.Fatal(err)
		}
	}
	watermark := metalog.AdvanceWatermarks{Topic: "t", High: &high}
	commit := metalog.CommitOffsets{Group: "none", Offsets: []metalog.OffsetCommit{{Topic: "t"}}}
	send(watermark, watermark, watermark)
	<-throttled // once for the three of them
	if n := len(f.service.highRateSlots.taken); n != 3 {
		t.Errorf("%d places are taken, want 3", n)
	}
	send(commit, commit, commit)
	for len(f.service.highRateSlots.taken) < 4 {
		runtime.Gosched() // until the second batch has the one that is left
	}
	if len(throttled) != 0 {
		t.Error("the second batch has begun while the first one had its places")
	}
	close(open)
	for range 2 {
		reply, err := inbox.NextMsgWithContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wire.DecodeOutcomes(reply.Data, 3); err != nil {
			t.Error(err)
		}
	}
	f.ask(t, request("partition.watermark", `{"topic":"t","partition":0,"high":6}`))
}
