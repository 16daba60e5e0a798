package replay_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// scan reads all frames of a log that has no damage.
func scan(t *testing.T, dir string) []eventlog.Located {
	t.Helper()
	var all []eventlog.Located
	for at, err := range eventlog.Scan(t.Context(), filepath.Join(dir, "log"), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, at)
	}
	return all
}

// chainOf makes the first n records of a log.
func chainOf(n int) []*events.Record {
	records := make([]*events.Record, n)
	for i := range records {
		seq := uint64(i + 1)
		var event events.Event = &events.TopicDeleted{TopicRef: events.TopicRef{Name: fmt.Sprintf("topic-%d", i), ID: uuid.UUID{15: byte(i)}}}
		if i == 0 {
			event = &events.EpochStarted{LogID: uuid.UUID{15: 9}, Epoch: 1, CommandWindow: 100}
		}
		records[i] = &events.Record{
			Seq: seq, Time: events.Time(seq * 1000), Meta: events.Meta{Actor: "alice"},
			Facts: []events.Fact{{Event: event, Cause: events.NoCause}},
		}
	}
	return records
}

// writeLog appends records to a new log in groups of three, and closes it.
func writeLog(t *testing.T, dir string, segmentSize int, records ...*events.Record) {
	t.Helper()
	log, err := eventlog.Open(filepath.Join(dir, "log"), eventlog.Options{SegmentSize: segmentSize, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	g := eventlog.NewGroup(log.Head())
	for i, rec := range records {
		if err := g.Add(rec); err != nil {
			t.Fatal(err)
		}
		if g.Len() < 3 && i < len(records)-1 {
			continue
		}
		if err := log.Append(g); err != nil {
			t.Fatal(err)
		}
		g.Reset(log.Head())
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// raw is a record to be written by hand, with what no metalog would write.
type raw struct {
	rec            *events.Record
	breakChain     bool // prev is not the hash of the frame before
	longType       bool // the first event's type takes a byte more than it needs
	unknownVersion bool // of the first event
}

func rawChain(n int) []raw {
	records := make([]raw, n)
	for i, rec := range chainOf(n) {
		records[i].rec = rec
	}
	return records
}

// writeRaw writes records as a log of one segment, each in a group of its own,
// with right checksums and, unless they say otherwise, a right chain. It follows
// docs/record-format.md.
func writeRaw(t *testing.T, dir string, records []raw) {
	t.Helper()
	var segment []byte
	var prev events.Hash
	for _, r := range records {
		rec := *r.rec
		if rec.Prev = prev; r.breakChain {
			rec.Prev[0] ^= 1
		}
		body, err := events.AppendRecord(nil, &rec)
		if err != nil {
			t.Fatal(err)
		}
		frame := rawFrame(rec.Seq, r.change(t, body))
		prev = sha256.Sum256(frame)
		segment = append(binary.AppendUvarint(segment, uint64(len(frame))), frame...)
	}
	if err := os.Mkdir(filepath.Join(dir, "log"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "log", fmt.Sprintf("%020d", records[0].rec.Seq)), segment)
}

// change alters an encoded record of one TopicDeleted, whose type 23 is the
// largest that fits into one byte.
func (r raw) change(t *testing.T, body []byte) []byte {
	t.Helper()
	event, with := []byte{0x81, 0x85, 23, 1}, []byte(nil)
	switch {
	case r.longType:
		with = []byte{0x81, 0x85, 0x18, 23, 1}
	case r.unknownVersion:
		with = []byte{0x81, 0x85, 23, 0x18, 99}
	default:
		return body
	}
	if bytes.Count(body, event) != 1 {
		t.Fatalf("the record does not have %x once", event)
	}
	return bytes.Replace(body, event, with, 1)
}

func rawFrame(group uint64, body []byte) []byte {
	frame := append([]byte{0xf5, 'm', 'l', 1}, make([]byte, 16)...)
	binary.BigEndian.PutUint32(frame[4:], uint32(len(body)))
	binary.BigEndian.PutUint64(frame[12:], group)
	frame = append(frame, body...)
	table := crc32.MakeTable(crc32.Castagnoli)
	crc := crc32.Update(crc32.Checksum(frame[:8], table), table, frame[12:])
	binary.BigEndian.PutUint32(frame[8:], crc)
	return frame
}
