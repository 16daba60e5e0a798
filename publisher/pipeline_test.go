package publisher

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestAckHasToBeTheExpectedOne(t *testing.T) {
	p := &pipeline{inbox: "inbox"}
	tests := []struct {
		name, subject, data string
		ok                  bool
	}{
		{"stored", "inbox.7", `{"stream":"S","seq":7}`, true},
		{"stored elsewhere", "inbox.7", `{"stream":"S","seq":8}`, false},
		{"of another message", "inbox.8", `{"stream":"S","seq":7}`, false},
		{"duplicate", "inbox.7", `{"stream":"S","seq":7,"duplicate":true}`, false},
		{"refused", "inbox.7", `{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 9"},"stream":"S","seq":7}`, false},
		{"no stream", "inbox.7", ``, false},
		{"not an ack", "inbox.7", `+OK`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := p.check(&nats.Msg{Subject: test.subject, Data: []byte(test.data)}, 7)
			if _, transient := errors.AsType[*retryError](err); (err == nil) != test.ok || !test.ok && !transient {
				t.Errorf("check: %v, want accepted: %t", err, test.ok)
			}
		})
	}
}

// Another's message takes the place that the pipeline expects to have.
func TestFenceRefusesWhatDoesNotFollow(t *testing.T) {
	server, log := newServer(t), filled(30, 5)
	js := server.connect()
	publishAll(t, log, js, testOptions())
	last := streamOf(t, js).CachedInfo().State.LastSeq
	p, err := newPipeline(js.Conn(), StreamName(testCluster), last-1, time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	msgs, err := testEncoder(JSON, 1<<20).messages(log.records[4], 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.publish(t.Context(), msgs[0].msg, msgs[0].next); err != nil {
		t.Fatal(err)
	}
	api, ok := errors.AsType[*jetstream.APIError](p.drain(t.Context()))
	if !ok || api.ErrorCode != jetstream.JSErrCodeStreamWrongLastSequence {
		t.Errorf("a message expecting the one before the last: %v, want refused", api)
	}
	if now := streamOf(t, js).CachedInfo().State.LastSeq; now != last {
		t.Errorf("the stream went on to message %d, want %d", now, last)
	}
}
