package publisher

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

func TestSubjects(t *testing.T) {
	tests := []struct {
		of   events.EntityRef
		t    events.Type
		want string
	}{
		{events.EntityRef{Kind: events.KindTopic, ID: "orders"}, events.TypeTopicCreated, "metalog.prod.events.topic.orders.TopicCreated"},
		{events.EntityRef{Kind: events.KindTopic, ID: "orders.v1"}, events.TypeSegmentAdded, "metalog.prod.events.topic.orders=2Ev1.SegmentAdded"},
		{events.EntityRef{Kind: events.KindGroup, ID: "a b*>=é\x00"}, events.TypeOffsetCommitted, "metalog.prod.events.group.a=20b=2A=3E=3D=C3=A9=00.OffsetCommitted"},
		{events.EntityRef{Kind: events.KindGroup, ID: "$SYS"}, events.TypeGroupCreated, "metalog.prod.events.group.$SYS.GroupCreated"},
		{events.EntityRef{Kind: events.KindGroup}, events.TypeGroupCreated, "metalog.prod.events.group.=.GroupCreated"},
		{events.EntityRef{Kind: events.KindBroker, ID: "7"}, events.TypeBrokerRegistered, "metalog.prod.events.broker.7.BrokerRegistered"},
		{events.EntityRef{Kind: events.KindProducer, ID: "-1"}, events.TypeProducerFenced, "metalog.prod.events.producer.-1.ProducerFenced"},
		{events.EntityRef{Kind: events.KindCluster}, events.TypeSystemInitialized, "metalog.prod.events.cluster._.SystemInitialized"},
		{events.EntityRef{Kind: events.KindGroup, ID: strings.Repeat("x", 513)}, events.TypeGroupCreated, "metalog.prod.events.group.=H35ade0090e64e74d6ad04204009c23a4e34b82bdf0f4f317fbcc5f26f9b10241.GroupCreated"},
	}
	for _, test := range tests {
		if got := Subject("prod", test.of, test.t); got != test.want {
			t.Errorf("Subject(%.40q, %s):\n got %s\nwant %s", test.of, test.t, got, test.want)
		}
	}
}

func TestFilterSubjects(t *testing.T) {
	tests := []struct {
		filter Filter
		want   string // empty: refused
	}{
		{Filter{}, "metalog.c.events.*.*.*"},
		{Filter{Aggregate: events.KindTopic, ID: "a.b"}, "metalog.c.events.topic.a=2Eb.*"},
		{Filter{Type: events.TypeSegmentAdded}, "metalog.c.events.*.*.SegmentAdded"},
		{Filter{Aggregate: events.KindCluster}, "metalog.c.events.cluster.*.*"},
		{Filter{ID: "a"}, ""},
		{Filter{Aggregate: events.KindCluster, ID: "a"}, ""},
		{Filter{Aggregate: "segment"}, ""},
	}
	for _, test := range tests {
		got, err := test.filter.Subject("c")
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%+v: %q, %v, want %q", test.filter, got, err, test.want)
		}
	}
}

func TestUnescapeRefusesWhatEscapeDoesNotMake(t *testing.T) {
	for _, token := range []string{"", "=2", "a=", "=2e", "=41", "a.b", "a b", "*", "é", "=G0", "==", hashPrefix + "00", strings.Repeat("x", 513)} {
		if id, err := Unescape(token); !errors.Is(err, events.ErrInvalid) {
			t.Errorf("Unescape(%q) = %q, %v, want invalid", token, id, err)
		}
	}
}

// The longest subject fits in a line of the NATS protocol, with two inboxes.
func TestLongestSubjectIsPublished(t *testing.T) {
	js, log, options := newServer(t).connect(), newMemLog(), testOptions()
	options.Cluster = strings.Repeat("c", 64)
	log.append("", plain(&events.TransactionOffsetsCommitted{}), plain(&events.GroupCreated{GroupRef: events.GroupRef{ID: strings.Repeat("x", MaxTokenBytes)}}))
	publishAll(t, log, js, options)
	stream, err := js.Stream(t.Context(), StreamName(options.Cluster))
	if err != nil {
		t.Fatal(err)
	}
	filter := Filter{Aggregate: events.KindGroup, ID: strings.Repeat("x", MaxTokenBytes)}
	subject, err := filter.Subject(options.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.GetMsg(t.Context(), 0, jetstream.WithGetMsgSubject(subject)); err != nil {
		t.Errorf("message of the long id: %v", err)
	}
}

func FuzzEscape(f *testing.F) {
	for _, id := range hostileBytes() {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) { checkToken(t, id) })
}

func FuzzUnescape(f *testing.F) {
	for _, token := range []string{"a", "=", "=2E", "=2e", "=H00", "=41", "a=C3=A9"} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if id, err := Unescape(token); err == nil && Escape(id) != token {
			t.Fatalf("Unescape(%q) = %q, of which Escape makes %q", token, id, Escape(id))
		}
	})
}
