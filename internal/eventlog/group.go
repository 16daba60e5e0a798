package eventlog

import (
	"crypto/sha256"

	"github.com/metalog/metalog/events"
)

// Group is a run of records that are appended together, with one sync. It is
// used by one goroutine at a time: the sequencer adds to it, then hands it to
// the log writer, who may give it back to be [Group.Reset] and used again.
type Group struct {
	prev events.Head // of the record before the first
	head events.Head // of the last record; prev while there is none
	buf  []byte      // the frames, back to back
	ends []int       // where each frame ends in buf
}

// NewGroup makes an empty group that follows prev.
func NewGroup(prev events.Head) *Group { return &Group{prev: prev, head: prev} }

// Add sets rec.Prev and encodes rec as the last record of the group. rec.Seq
// must be the next. On an error (too_large, for one) the group is as it was.
func (g *Group) Add(rec *events.Record) error {
	if rec.Seq != g.head.Seq+1 {
		return events.Errorf(events.CodeInvalid, "seq %d can't follow seq %d in a group", rec.Seq, g.head.Seq)
	}
	rec.Prev = g.head.Hash
	start := len(g.buf)
	var header [headerBytes]byte
	buf, err := events.AppendRecord(append(g.buf, header[:]...), rec)
	if err != nil {
		return err
	}
	frame := buf[start:]
	putHeader(frame, g.First())
	g.buf = buf
	g.ends = append(g.ends, len(buf))
	g.head = events.Head{Seq: rec.Seq, Hash: sha256.Sum256(frame)}
	return nil
}

// Len is the number of records.
func (g *Group) Len() int { return len(g.ends) }

// Bytes is the size of the records' frames, summed.
func (g *Group) Bytes() int { return len(g.buf) }

// First is the seq of the first record, or what it would be.
func (g *Group) First() uint64 { return g.prev.Seq + 1 }

// Head is the head of a log that ends with the group.
func (g *Group) Head() events.Head { return g.head }

// Reset empties the group, which then follows prev. It keeps the memory.
func (g *Group) Reset(prev events.Head) {
	*g = Group{prev: prev, head: prev, buf: g.buf[:0], ends: g.ends[:0]}
}

// frame is the frame of record i of the group.
func (g *Group) frame(i int) []byte {
	start := 0
	if i > 0 {
		start = g.ends[i-1]
	}
	return g.buf[start:g.ends[i]]
}
