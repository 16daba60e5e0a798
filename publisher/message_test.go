package publisher

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog/events"
)

func testEncoder(encoding Encoding, maxPayload int) encoder {
	options := testOptions()
	options.Encoding = encoding
	return newEncoder(&options, maxPayload)
}

func commitRecord() *events.Record {
	var facts []events.Fact
	for p := range int32(20) {
		facts = append(facts, plain(offset("g", "t", p, 1)))
	}
	log := newMemLog()
	return log.append("who?\n", facts...)
}

// A run over the limit is split into messages that fit, and still gives the same
// events, wherever it begins.
func TestRunOverTheLimitIsSplit(t *testing.T) {
	rec := commitRecord()
	for _, encoding := range []Encoding{JSON, CBOR} {
		for _, from := range []int{0, 7, 19} {
			msgs, err := testEncoder(encoding, 1024).messages(rec, from)
			if err != nil {
				t.Fatal(err)
			}
			if from == 0 && len(msgs) < 3 {
				t.Errorf("%s: %d messages, want several", encoding, len(msgs))
			}
			next := events.Position{Seq: rec.Seq, Index: from}
			for _, out := range msgs {
				if len(out.msg.Data) > 1024 {
					t.Errorf("%s: payload of %d bytes, the limit is 1024", encoding, len(out.msg.Data))
				}
				m, err := parseMessage(out.msg.Subject, out.msg.Header, out.msg.Data, 1)
				if err != nil {
					t.Fatal(err)
				}
				if m.First() != next || m.Next() != out.next || m.Events[0].Index != next.Index {
					t.Errorf("%s: message from %s to %s, want from %s to %s", encoding, m.First(), m.Next(), next, out.next)
				}
				next = out.next
			}
			if want := (events.Position{Seq: rec.Seq + 1}); next != want {
				t.Errorf("%s: messages end at %s, want %s", encoding, next, want)
			}
		}
	}
}

func TestEventOverTheLimitIsNamed(t *testing.T) {
	_, err := testEncoder(JSON, 100).messages(commitRecord(), 0)
	if !errors.Is(err, events.ErrTooLarge) || !strings.Contains(err.Error(), "event 1.0") {
		t.Errorf("messages: %v, want too large, naming event 1.0", err)
	}
}

// The forms that docs/subscribing.md promises.
func TestMessageForm(t *testing.T) {
	log := newMemLog()
	log.append("", plain(&events.SystemInitialized{}))
	rec := log.append("alice é", plain(&events.TopicDeleted{TopicRef: topicRef("a.b")}),
		derived(&events.WatermarksDeleted{PartitionRef: events.PartitionRef{Topic: "a.b", TopicID: topicRef("a.b").ID, Partition: 2}}, 0))
	msgs, err := testEncoder(JSON, 1<<20).messages(rec, 1)
	if err != nil {
		t.Fatal(err)
	}
	m := msgs[0].msg
	want := map[string]string{
		HeaderLogID:       testLogID.String(),
		HeaderEpoch:       "1",
		HeaderSeq:         "2",
		HeaderIndex:       "1",
		HeaderCount:       "1",
		HeaderEvents:      "2",
		HeaderHash:        rec.Hash.String(),
		HeaderTime:        "2023-11-14T22:13:20.002000000Z",
		HeaderActor:       "alice=20=C3=A9",
		HeaderCause:       "2.0",
		HeaderContentType: "application/json",
	}
	for name, value := range want {
		if got := m.Header.Get(name); got != value {
			t.Errorf("header %s: %q, want %q", name, got, value)
		}
	}
	if len(m.Header) != len(want) {
		t.Errorf("%d headers, want %d: %v", len(m.Header), len(want), m.Header)
	}
	const payload = `[{"seq":2,"index":1,"type":"WatermarksDeleted","time":"2023-11-14T22:13:20.002000000Z","actor":"alice é",` +
		`"cause":{"seq":2,"index":0},"derived":true,"entity":"topic/a.b",` +
		`"payload":{"topic":"a.b","topic_id":"c1f82481-a1f4-5037-99fa-d4b581e5ab59","partition":2}}]`
	if got := string(m.Data); got != payload {
		t.Errorf("payload:\n got %s\nwant %s", got, payload)
	}
}

func TestForeignMessageIsCorrupt(t *testing.T) {
	valid := func() (nats.Header, []byte) {
		msgs, err := testEncoder(JSON, 1<<20).messages(commitRecord(), 0)
		if err != nil {
			t.Fatal(err)
		}
		return msgs[0].msg.Header, msgs[0].msg.Data
	}
	tests := map[string]func(h nats.Header, data []byte) []byte{
		"no headers":           func(h nats.Header, data []byte) []byte { clear(h); return data },
		"seq 0":                func(h nats.Header, data []byte) []byte { h.Set(HeaderSeq, "0"); return data },
		"more than the record": func(h nats.Header, data []byte) []byte { h.Set(HeaderIndex, "1"); return data },
		"negative count":       func(h nats.Header, data []byte) []byte { h.Set(HeaderCount, "-1"); return data },
		"short hash":           func(h nats.Header, data []byte) []byte { h.Set(HeaderHash, "00"); return data },
		"other count":          func(h nats.Header, data []byte) []byte { h.Set(HeaderCount, "19"); return data },
		"unknown content type": func(h nats.Header, data []byte) []byte { h.Set(HeaderContentType, "text/plain"); return data },
		"cut payload":          func(_ nats.Header, data []byte) []byte { return data[:len(data)-1] },
		"unknown event type": func(_ nats.Header, data []byte) []byte {
			return []byte(strings.ReplaceAll(string(data), "OffsetCommitted", "OffsetForgotten"))
		},
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			h, data := valid()
			if _, err := parseMessage("s", h, damage(h, data), 1); !errors.Is(err, events.ErrCorrupt) {
				t.Errorf("parseMessage: %v, want corrupt", err)
			}
		})
	}
}

// JSON that is put together of parts is what encoding/json writes of the views.
func TestJSONIsThatOfTheViews(t *testing.T) {
	log := filled(60, 300)
	log.append("<é\"\n", plain(offset("g\x00<", "t", 1, 2)))
	ref := topicRef("a")
	log.append("", plain(&events.TopicDeleted{TopicRef: ref}), derived(&events.SegmentRemoved{PartitionRef: events.PartitionRef{Topic: "a", TopicID: ref.ID}, ID: "1"}, 0))
	encode := testEncoder(JSON, 1<<20)
	for _, rec := range log.records {
		for from := 0; from < len(rec.Facts); {
			_, end := encode.run(rec, from)
			var views []events.EventView
			for i := from; i < end; i++ {
				views = append(views, rec.View(i))
			}
			got, err := encodeJSON(rec, from, end)
			if want := toJSON(t, views); err != nil || string(got) != want {
				t.Fatalf("%v:\n got %s\nwant %s", err, got, want)
			}
			from = end
		}
	}
}

// An event of each type, with all its fields, comes back as it was, and is
// written as encoding/json does.
func TestEachEventTypeInBothEncodings(t *testing.T) {
	paths, err := filepath.Glob("../events/testdata/*.golden")
	if err != nil || len(paths) < 30 {
		t.Fatalf("%d golden records: %v", len(paths), err)
	}
	for _, path := range paths {
		rec := goldenRecord(t, path)
		last := len(rec.Facts) - 1 // has its fields filled
		want := toJSON(t, []events.EventView{rec.View(last)})
		for _, encoding := range []Encoding{JSON, CBOR} {
			data, err := encodeEvents(encoding, rec, last, last+1)
			if err != nil {
				t.Fatal(err)
			}
			if encoding == JSON && string(data) != want {
				t.Errorf("%s:\n got %s\nwant %s", path, data, want)
			}
			got, err := decodeEvents(encoding.contentType(), rec.Facts[last].Event.Type(), 1, data)
			if err != nil {
				t.Errorf("%s as %s: %v", path, encoding, err)
			} else if back := toJSON(t, got); back != want {
				t.Errorf("%s as %s:\n got %s\nwant %s", path, encoding, back, want)
			}
		}
	}
}

// goldenRecord reads a record whose bytes no change of the program may alter.
func goldenRecord(t *testing.T, path string) *events.Record {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, digits, _ := strings.Cut(string(text), "\n")
	data, err := hex.DecodeString(strings.ReplaceAll(digits, "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := events.DecodeRecord(data)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}
