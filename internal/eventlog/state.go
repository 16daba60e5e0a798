package eventlog

import (
	"slices"

	"github.com/metalog/metalog/events"
)

// markEvery is the distance in bytes between places of the last segment where a
// read may begin. Followers read the newest records over and over: they should
// not scan a whole segment each time.
const markEvery = 16 << 10

// mark is a place in the last segment where an entry begins.
type mark struct {
	chain chain // just before the entry
	off   int64
}

// state is what a [File] holds at one moment. It never changes once published:
// a reader takes one and works from it.
type state struct {
	start Start
	head  events.Head
	segs  []uint64 // first seqs; the last one is written to
	tail  int64    // durable bytes of the last segment
	marks []mark   // of the last segment, ascending
	err   error    // why appending is over, or nil
	// closed: reading is over too. Another process may own the directory now.
	closed bool
	// changed is closed when the next state is published.
	changed chan struct{}
}

// next is a copy of st to change and publish. Slices are shared: the writer
// appends to them, which readers of older states don't see.
func (st *state) next() *state {
	next := *st
	next.changed = make(chan struct{})
	return &next
}

func (st *state) lastSegment() uint64 { return st.segs[len(st.segs)-1] }

// after is the state once g is durable. It knows where wal begins a new segment:
// before a batch when the last one is over segmentSize, and after each entry
// that makes it reach segmentSize (wal.go, writeBatch).
func (st *state) after(g *Group, segmentSize int64) *state {
	next := st.next()
	if next.tail > segmentSize {
		next.roll(g.First())
	}
	for i := range g.Len() {
		seq := g.First() + uint64(i)
		next.tail += entrySize(len(g.frame(i)))
		next.mark(mark{chain{Head: events.Head{Seq: seq}, group: g.First()}, next.tail})
		if next.tail >= segmentSize {
			next.roll(seq + 1)
		}
	}
	next.head = g.Head()
	return next
}

func (st *state) roll(first uint64) {
	st.segs = append(st.segs, first)
	st.tail, st.marks = 0, nil
}

// mark notes m if it is far enough from the last one.
func (st *state) mark(m mark) {
	var last int64
	if n := len(st.marks); n > 0 {
		last = st.marks[n-1].off
	}
	if m.off-last >= markEvery {
		st.marks = append(st.marks, m)
	}
}

// seek gives a scanner that comes to seq from, which is in the log.
func (st *state) seek(dir string, from uint64) scanner {
	i := segmentOf(st.segs, from)
	s := scanner{dir: dir, segs: st.segs[i:], tail: st.tail, block: scanBlock}
	s.chain = chain{Head: events.Head{Seq: st.segs[i] - 1}}
	if i == 0 {
		s.chain = chain{Head: st.start.Before(), linked: true}
	}
	if i == len(st.segs)-1 {
		for _, m := range slices.Backward(st.marks) {
			if m.chain.Seq < from {
				s.chain, s.off = m.chain, m.off
				break
			}
		}
	}
	return s
}
