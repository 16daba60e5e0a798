package publisher

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

// trimTo makes the stream begin with record start, as a publisher does.
func trimTo(t *testing.T, log *memLog, js jetstream.JetStream, start uint64) {
	t.Helper()
	p := newPublisher(t, log, js, testOptions())
	l := locatorOf(t, streamOf(t, js))
	first, err := l.search(t.Context(), func(m *Message) bool { return m.Seq >= start })
	if err != nil {
		t.Fatal(err)
	}
	if err := p.setOrigin(t.Context(), l, start); err != nil {
		t.Fatal(err)
	}
	if err := l.stream.Purge(t.Context(), jetstream.WithPurgeSequence(first)); err != nil {
		t.Fatal(err)
	}
}

// checkpointAt subscribes until the record is done.
func checkpointAt(t *testing.T, js jetstream.JetStream, seq uint64) Checkpoint {
	t.Helper()
	for rec, err := range SubscribeRecords(t.Context(), js, SubscribeOptions{Cluster: testCluster, Logger: quiet}) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Seq == seq {
			return rec.Checkpoint()
		}
	}
	return Checkpoint{}
}

func TestStartsThatAreNotInTheStream(t *testing.T) {
	server, log := newServer(t), filled(30, 100)
	js := server.connect()
	publishAll(t, log, js, testOptions())
	early := checkpointAt(t, js, 10)
	trimTo(t, log, js, 50)
	first, next := events.Position{Seq: 50}, events.Position{Seq: 101}
	tests := []struct {
		name    string
		options SubscribeOptions
		want    events.Position
	}{
		{"before the stream", SubscribeOptions{From: events.Position{Seq: 49, Index: 2}}, events.Position{Seq: 49, Index: 2}},
		{"before the stream, filtered", SubscribeOptions{From: events.Position{Seq: 49}, Filter: Filter{Aggregate: events.KindTopic}}, events.Position{Seq: 49}},
		{"beyond its end", SubscribeOptions{From: events.Position{Seq: 102}}, events.Position{Seq: 102}},
		{"at a checkpoint before the stream", SubscribeOptions{After: early}, early.Next},
		{"at a time before the stream", SubscribeOptions{Since: log.records[20].Time.Time()}, first},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.options.Cluster = testCluster
			err := firstError(t.Context(), server, test.options)
			wrong, ok := errors.AsType[*RangeError](err)
			if !ok || !errors.Is(err, events.ErrOutOfRange) {
				t.Fatalf("Subscribe: %v, want a RangeError", err)
			}
			if wrong.Want != test.want || wrong.First != first || wrong.Next != next {
				t.Errorf("wanted %s, there is %s to %s; want %s, %s to %s", wrong.Want, wrong.First, wrong.Next, test.want, first, next)
			}
			if !strings.Contains(err.Error(), "begin there") {
				t.Errorf("%q tells no way out", err)
			}
		})
	}
	t.Run("without a start", func(t *testing.T) {
		want := selected(log, func(v events.EventView) bool { return v.Seq >= 50 })
		sameEvents(t, collect(t, js, SubscribeOptions{}, len(want)), want)
	})
}

// Nobody fills the stream again: after a while missing events are an error.
func TestGap(t *testing.T) {
	server, log := newServer(t), filled(31, 100)
	js := server.connect()
	publishAll(t, log, js, testOptions())
	if err := streamOf(t, js).Purge(t.Context(), jetstream.WithPurgeSequence(50)); err != nil {
		t.Fatal(err)
	}
	for _, options := range []SubscribeOptions{{}, {From: events.Position{Seq: 3}}} {
		options.Cluster, options.GapTimeout = testCluster, time.Millisecond
		err := firstError(t.Context(), server, options)
		missing, ok := errors.AsType[*GapError](err)
		if !ok || !errors.Is(err, events.ErrCorrupt) || missing.Want.Seq != max(1, options.From.Seq) || missing.Have.Seq < 4 {
			t.Errorf("Subscribe: %#v, want a GapError", err)
		}
	}
}

// A subscriber waits for the publisher to fill the stream again.
func TestGapThatIsFilled(t *testing.T) {
	server, log := newServer(t), filled(32, 100)
	js := server.connect()
	publishAll(t, log, js, testOptions())
	if err := streamOf(t, js).Purge(t.Context(), jetstream.WithPurgeSequence(50)); err != nil {
		t.Fatal(err)
	}
	s, err := newSubscription(js, SubscribeOptions{Cluster: testCluster, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	unwanted := func(m *Message) bool { t.Errorf("message %s of a stream with a gap", m.First()); return false }
	if err := s.session(t.Context(), unwanted); err == nil || !s.passing(err) {
		t.Fatalf("session: %v, want a gap that may pass", err)
	}
	publishAll(t, log, js, testOptions())
	want := logEvents(log)
	var got []events.EventView
	err = s.run(t.Context(), func(m *Message) bool {
		got = append(got, m.Events...)
		return len(got) < len(want)
	})
	if err != nil {
		t.Fatal(err)
	}
	sameEvents(t, got, want)
}

// forked returns a log with the first kept records of another, and more that are
// its own.
func forked(log *memLog, kept int, seed uint64, n int) *memLog {
	other := log.truncated(kept)
	other.append("who repaired it", plain(&events.EpochStarted{LogID: testLogID, Epoch: 2}))
	other.fill(newRand(seed), n)
	return other
}

// A repaired log takes the place of the history that it cut off; subscribers who
// have not seen that go on, the others are told.
func TestRepairedLog(t *testing.T) {
	for _, n := range []int{20, 200} { // the new history is shorter, or longer
		server, log := newServer(t), filled(33, 100)
		js := server.connect()
		publishAll(t, log, js, testOptions())
		within, beyond := checkpointAt(t, js, 60), checkpointAt(t, js, 80)
		repaired, options := forked(log, 60, 34, n), testOptions()
		options.Epoch, options.Fork = 2, 60
		publishAll(t, repaired, js, options)
		sameEvents(t, storedEvents(t, js), logEvents(repaired))

		want := selected(repaired, func(v events.EventView) bool { return v.Seq > 60 })
		sameEvents(t, collect(t, js, SubscribeOptions{After: within}, len(want)), want)
		for _, filter := range []Filter{{}, {Type: events.TypeOffsetCommitted}} {
			err := firstError(t.Context(), server, SubscribeOptions{Cluster: testCluster, After: beyond, Filter: filter})
			split, ok := errors.AsType[*ForkError](err)
			if !ok || !errors.Is(err, events.ErrCorrupt) || split.Kept != 60 || split.Seen != beyond.Last {
				t.Errorf("Subscribe: %v, want a fork after record 60", err)
			}
		}
		t.Run("the old log's publisher", func(t *testing.T) {
			if err := newPublisher(t, log, js, testOptions()).Run(t.Context()); !errors.Is(err, events.ErrFenced) {
				t.Errorf("Run: %v, want fenced", err)
			}
		})
	}
}

// A log was repaired twice since it was published, the first time before the
// second one's fork.
func TestLogRepairedTwice(t *testing.T) {
	server, log := newServer(t), filled(41, 70)
	js := server.connect()
	publishAll(t, log, js, testOptions())
	seen := checkpointAt(t, js, 65)
	twice := forked(forked(log, 50, 42, 60), 80, 43, 20)
	options := testOptions()
	options.Epoch, options.Fork = 3, 80
	publishAll(t, twice, js, options)
	sameEvents(t, storedEvents(t, js), logEvents(twice))
	err := firstError(t.Context(), server, SubscribeOptions{Cluster: testCluster, After: seen})
	if split, ok := errors.AsType[*ForkError](err); !ok || split.Seen != seen.Last {
		t.Errorf("Subscribe: %v, want a fork", err)
	}
}

// A subscriber is told of a repair while it reads.
func TestRepairWhileSubscribed(t *testing.T) {
	for _, filter := range []Filter{{}, {Type: events.TypeOffsetCommitted}} {
		server, log := newServer(t), filled(35, 100)
		js := server.connect()
		publishAll(t, log, js, testOptions())
		var last error
		seen := 0
		options := SubscribeOptions{Cluster: testCluster, Filter: filter, Logger: quiet}
		wanted := 0
		for _, v := range logEvents(log) {
			if filter.all() || v.Type == "OffsetCommitted" {
				wanted++
			}
		}
		for m, err := range Subscribe(t.Context(), js, options) {
			if last = err; err != nil {
				break
			}
			if seen += len(m.Events); seen == wanted {
				repaired, options := forked(log, 60, 36, 200), testOptions()
				options.Epoch, options.Fork = 2, 60
				publishAll(t, repaired, server.connect(), options)
			}
		}
		if split, ok := errors.AsType[*ForkError](last); !ok || split.Kept != 60 {
			t.Errorf("filter %+v: ended with %v, want a fork after record 60", filter, last)
		}
	}
}

// A log that was put back from a backup and went on has no new epoch: the hash
// of the last record seen tells.
func TestRewrittenHistory(t *testing.T) {
	server, log := newServer(t), filled(37, 100)
	js := server.connect()
	publishAll(t, log, js, testOptions())
	seen := checkpointAt(t, js, 80)
	if err := js.DeleteStream(t.Context(), StreamName(testCluster)); err != nil {
		t.Fatal(err)
	}
	publishAll(t, forked(log, 60, 38, 200), js, testOptions())
	for _, filter := range []Filter{{}, {Type: events.TypeSegmentRemoved}} {
		err := firstError(t.Context(), server, SubscribeOptions{Cluster: testCluster, After: seen, Filter: filter})
		if split, ok := errors.AsType[*ForkError](err); !ok || split.Seen != seen.Last {
			t.Errorf("filter %+v: %v, want a fork", filter, err)
		}
	}
}

// What was trimmed before the consumer came to it may have matched the filter.
func TestTrimOvertakesFilteredSubscriber(t *testing.T) {
	js, log := newServer(t).connect(), filled(39, 400)
	publishAll(t, log, js, testOptions())
	options := SubscribeOptions{Cluster: testCluster, Filter: Filter{Type: events.TypeTopicCreated}, Logger: quiet}
	s, err := newSubscription(js, options)
	if err != nil {
		t.Fatal(err)
	}
	want := selected(log, func(v events.EventView) bool { return v.Type == "TopicCreated" })
	trim := want[len(want)/2].Seq
	var got []events.EventView
	err = s.run(t.Context(), func(m *Message) bool {
		got = append(got, m.Events...)
		return m.Seq < 10
	})
	if err != nil {
		t.Fatal(err)
	}
	trimTo(t, log, js, trim)
	err = s.run(t.Context(), func(m *Message) bool { t.Errorf("message %s after a trim to %d", m.First(), trim); return false })
	if gone, ok := errors.AsType[*RangeError](err); !ok || gone.First.Seq != trim {
		t.Errorf("ended with %v, want out of range", err)
	}
	sameEvents(t, got, want[:len(got)])
}

// The check that finds it looks after the batch has come.
func TestCoverFindsWhatWasRemoved(t *testing.T) {
	js, log := newServer(t).connect(), filled(40, 100)
	publishAll(t, log, js, testOptions())
	stream := streamOf(t, js)
	message := func(seq uint64) arrival { return arrival{message: &Message{StreamSeq: seq}} }
	batch := func(seqs ...uint64) (b []arrival) {
		for _, seq := range seqs {
			b = append(b, message(seq))
		}
		return b
	}
	created := stream.CachedInfo().Created
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSequence(20)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		covered uint64
		created time.Time
		batch   []arrival
		missing bool
	}{
		{"one after the other, long before", 3, created, batch(4, 5, 6), false},
		{"a gap that begins before what is there", 10, created, batch(25), true},
		{"one message before", 18, created, batch(22), true},
		{"a gap in what is there", 19, created, batch(22, 30), false},
		{"another stream of the name", 19, created.Add(-time.Second), batch(22, 30), true},
		{"only an error", 3, created, []arrival{{err: errConnectionLost}}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := delivery{stream: stream, created: test.created, covered: test.covered}
			if err := d.cover(t.Context(), test.batch); (err != nil) != test.missing {
				t.Errorf("cover: %v, want missing: %t", err, test.missing)
			}
			if last := test.batch[len(test.batch)-1].message; !test.missing && last != nil && d.covered != last.StreamSeq {
				t.Errorf("covered to %d, want %d", d.covered, last.StreamSeq)
			}
		})
	}
}

// A stream whose front is missing is no place to begin, wherever one wants to.
func TestPurgedFrontIsNoStart(t *testing.T) {
	server, log := newServer(t), filled(44, 100)
	js := server.connect()
	publishAll(t, log, js, testOptions())
	if err := streamOf(t, js).Purge(t.Context(), jetstream.WithPurgeSequence(50)); err != nil {
		t.Fatal(err)
	}
	commits := Filter{Type: events.TypeOffsetCommitted}
	for _, options := range []SubscribeOptions{{Filter: commits}, {Since: log.records[9].Time.Time()}, {Since: log.records[9].Time.Time(), Filter: commits}} {
		options.Cluster, options.GapTimeout = testCluster, time.Millisecond
		err := firstError(t.Context(), server, options)
		if _, ok := errors.AsType[*GapError](err); !ok {
			t.Errorf("filter %+v, since %v: %v, want a gap", options.Filter, options.Since, err)
		}
	}
}

// A repair may cut the log off before the record that the stream was trimmed to.
func TestRepairBeforeTheTrim(t *testing.T) {
	js, log := newServer(t).connect(), filled(45, 100)
	publishAll(t, log, js, testOptions())
	trimTo(t, log, js, 80)
	repaired, options := forked(log, 60, 46, 50), testOptions()
	options.Epoch, options.Fork = 2, 60
	publishAll(t, repaired, js, options)
	want := selected(repaired, func(v events.EventView) bool { return v.Seq > 60 })
	sameEvents(t, storedEvents(t, js), want)
	sameEvents(t, collect(t, js, SubscribeOptions{}, len(want)), want)
}

// An empty stream tells by its start that the log has lost records.
func TestEmptyStreamAheadOfTheLog(t *testing.T) {
	js, log := newServer(t).connect(), filled(47, 100)
	publishAll(t, log, js, testOptions())
	trimTo(t, log, js, 80)
	if err := streamOf(t, js).Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := newPublisher(t, log.truncated(60), js, testOptions()).Run(t.Context()); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("Run: %v, want corrupt", err)
	}
}
