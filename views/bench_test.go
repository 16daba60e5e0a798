package views

import (
	"testing"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

const (
	benchGroups     = 64
	benchPartitions = 1024
	benchGroupSize  = 64 // records a group
)

// benchOffsets are views with the offsets of all groups in one topic, flushed.
func benchOffsets(b *testing.B) (*DB, *Tx, uuid.UUID) {
	db, tx := mustOpen(b)
	topic := putTopic(b, tx, 1, "orders")
	for g := range uint64(benchGroups) {
		putGroup(b, tx, g+1, string(rune('a'+g)))
		for p := range int32(benchPartitions) {
			must(b, tx.PutOffset(events.OffsetRef{GroupID: g + 1, TopicID: topic.ID, Partition: p}, events.OffsetInfo{}, 1, 1))
		}
	}
	commit(b, tx)
	must(b, db.FlushAll(b.Context()))
	return db, tx, topic.ID
}

func benchRef(n int, topic uuid.UUID) events.OffsetRef {
	n *= 7919 // spreads the keys
	return events.OffsetRef{GroupID: uint64(n%benchGroups) + 1, TopicID: topic, Partition: int32(n / benchGroups % benchPartitions)}
}

// BenchmarkPutOffset is one offset a record, in groups, with flushes as they
// become due.
func BenchmarkPutOffset(b *testing.B) {
	_, tx, topic := benchOffsets(b)
	n := 0
	for b.Loop() {
		n++
		must(b, tx.PutOffset(benchRef(n, topic), events.OffsetInfo{Offset: int64(n)}, 1, uint64(n)))
		if n%benchGroupSize == 0 {
			commit(b, tx)
		}
	}
	commit(b, tx)
}

func BenchmarkGetOffset(b *testing.B) {
	db, _, _ := benchOffsets(b)
	snapshot, err := db.Snapshot()
	must(b, err)
	defer snapshot.Close()
	n := 0
	for b.Loop() {
		n++
		_, err := snapshot.Offset(string(rune('a'+n%benchGroups)), "orders", int32(n%benchPartitions))
		must(b, err)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	db, _, _ := benchOffsets(b)
	for b.Loop() {
		snapshot, err := db.Snapshot()
		must(b, err)
		must(b, snapshot.Close())
	}
}

// BenchmarkScanOffsets reads the 1,024 offsets of a group, half of them pending.
func BenchmarkScanOffsets(b *testing.B) {
	_, tx, topic := benchOffsets(b)
	for p := range int32(benchPartitions / 2) {
		must(b, tx.PutOffset(events.OffsetRef{GroupID: 1, TopicID: topic, Partition: 2 * p}, events.OffsetInfo{}, 1, 2))
	}
	group, err := tx.GroupByNumber(1)
	must(b, err)
	for b.Loop() {
		for _, err := range tx.Offsets(group) {
			must(b, err)
		}
	}
	commit(b, tx)
}

// BenchmarkFlush writes all 65,536 offsets again.
func BenchmarkFlush(b *testing.B) {
	db, tx, topic := benchOffsets(b)
	for b.Loop() {
		b.StopTimer()
		for n := range benchGroups * benchPartitions {
			must(b, tx.PutOffset(benchRef(n, topic), events.OffsetInfo{Offset: int64(b.N)}, 1, uint64(n)))
		}
		advance(b, tx)
		state, err := tx.Seal(true)
		must(b, err)
		db.Publish(state)
		b.StartTimer()
		must(b, db.Flush(b.Context()))
		b.StopTimer()
		must(b, tx.Begin())
		b.StartTimer()
	}
}
