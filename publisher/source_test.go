package publisher

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

var testLogID = uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")

// memLog is a log in memory.
type memLog struct {
	mu      sync.Mutex
	changed *sync.Cond
	records []*events.Record
	waiting uint64 // the seq that a follower waits for, having read all before it
	// onRecord is called with each record that a follower reads.
	onRecord func(seq uint64)
}

func newMemLog() *memLog {
	l := &memLog{}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// append adds a record of the facts, with a hash that depends on all before it.
func (l *memLog) append(actor string, facts ...events.Fact) *events.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	rec := &events.Record{
		Seq:   uint64(len(l.records)) + 1,
		Meta:  events.Meta{Actor: actor},
		Facts: facts,
	}
	rec.Time = events.Time(1_700_000_000_000_000_000 + int64(rec.Seq)*1_000_000)
	if rec.Seq > 1 {
		rec.Prev = l.records[rec.Seq-2].Hash
	}
	rec.Hash = sha256.Sum256(binary.BigEndian.AppendUint64(append(rec.Prev[:], actor...), rec.Seq))
	l.records = append(l.records, rec)
	l.changed.Broadcast()
	return rec
}

func (l *memLog) Records(ctx context.Context, from uint64) iter.Seq2[*events.Record, error] {
	l.mu.Lock()
	records, hook := l.records, l.onRecord
	l.mu.Unlock()
	return func(yield func(*events.Record, error) bool) {
		if from == 0 || from > uint64(len(records))+1 {
			yield(nil, events.Errorf(events.CodeOutOfRange, "seq %d of %d", from, len(records)))
			return
		}
		for _, rec := range records[from-1:] {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if hook != nil {
				hook(rec.Seq)
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

func (l *memLog) First() uint64 { return 1 }

func (l *memLog) Head() events.Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head()
}

func (l *memLog) head() events.Head {
	if len(l.records) == 0 {
		return events.Head{}
	}
	last := l.records[len(l.records)-1]
	return events.Head{Seq: last.Seq, Hash: last.Hash}
}

func (l *memLog) Wait(ctx context.Context, seq uint64) error {
	stop := context.AfterFunc(ctx, l.changed.Broadcast)
	defer stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = seq
	l.changed.Broadcast()
	defer func() { l.waiting = 0 }()
	for l.head().Seq < seq {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.changed.Wait()
	}
	return nil
}

// awaitPublished returns when a follower waits for the record after the head: it
// has published, and seen acknowledged, all of them.
func (l *memLog) awaitPublished() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.waiting != l.head().Seq+1 {
		l.changed.Wait()
	}
}

// truncated returns a log of the first n records.
func (l *memLog) truncated(n int) *memLog {
	shorter := newMemLog()
	shorter.records = l.records[:n]
	return shorter
}

func plain(e events.Event) events.Fact { return events.Fact{Event: e, Cause: events.NoCause} }

func derived(e events.Event, cause int) events.Fact {
	return events.Fact{Event: e, Cause: cause, Derived: true}
}

func topicRef(name string) events.TopicRef {
	return events.TopicRef{Name: name, ID: uuid.NewSHA1(testLogID, []byte(name))}
}

func offset(group, topic string, partition int32, at int64) *events.OffsetCommitted {
	return &events.OffsetCommitted{
		OffsetRef:  events.OffsetRef{Group: group, GroupID: 1, Topic: topic, TopicID: topicRef(topic).ID, Partition: partition},
		OffsetInfo: events.OffsetInfo{Offset: at, LeaderEpoch: -1, Metadata: "é\x00"},
	}
}

// fill appends n records of several kinds: single events, runs that share a
// subject, and cascades over several subjects.
func (l *memLog) fill(rng *rand.Rand, n int) {
	for range n {
		name := "topic." + strconv.Itoa(rng.IntN(5))
		group := "group " + strconv.Itoa(rng.IntN(5))
		switch rng.IntN(4) {
		case 0:
			l.append("admin", plain(&events.TopicCreated{TopicRef: topicRef(name), Partitions: 3, ReplicationFactor: 1, Config: events.Config{"a": "b"}}))
		case 1:
			l.append("", plain(&events.BrokerStatusChanged{ID: rng.Int32N(5), Status: events.BrokerOnline, Previous: events.BrokerOffline}))
		case 2:
			var facts []events.Fact
			for p := range 1 + rng.Int32N(6) {
				facts = append(facts, plain(offset(group, name, p, rng.Int64N(1000))))
			}
			l.append("consumer é", facts...)
		case 3:
			ref := events.PartitionRef{Topic: name, TopicID: topicRef(name).ID}
			l.append("admin",
				plain(&events.TopicDeleted{TopicRef: topicRef(name)}),
				derived(&events.SegmentRemoved{PartitionRef: ref, ID: "s1"}, 0),
				derived(&events.SegmentRemoved{PartitionRef: ref, ID: "s2"}, 0),
				derived(&events.OffsetDeleted{OffsetRef: offset(group, name, 0, 0).OffsetRef}, 0),
				derived(&events.OffsetDeleted{OffsetRef: offset("another", name, 0, 0).OffsetRef}, 0),
			)
		}
	}
}
