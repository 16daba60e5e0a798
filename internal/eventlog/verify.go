package eventlog

import (
	"context"
	"errors"
	"iter"

	"github.com/metalog/metalog/events"
)

// Scan yields the frames of the log in dir from seq from on (0: from its start)
// with the places where they stand, and checks all that the log by itself can
// tell: checksums, seqs, groups, the chain, and the head noted at a clean close.
// It takes no lock and writes nothing, so that dir may be a copy, or one that a
// server writes to: then the scan may end with a [Damage] that is Unfinished.
func Scan(ctx context.Context, dir string, from uint64) iter.Seq2[Located, error] {
	return func(yield func(Located, error) bool) {
		if err := scanDir(ctx, dir, from, yield); err != nil {
			if d, ok := damageOf(err); ok {
				err = d.corrupt()
			}
			yield(Located{}, err)
		}
	}
}

func scanDir(ctx context.Context, dir string, from uint64, yield func(Located, error) bool) error {
	// The note comes first: what is appended meanwhile can only exceed it.
	clean, err := readClean(dir)
	if err != nil {
		return err
	}
	st, err := readState(dir, clean)
	if err != nil || len(st.segs) == 0 {
		return err
	}
	s := st.seek(dir, max(from, st.start.First))
	defer s.close()
	err = s.run(ctx, from, noEnd, yield)
	if d, ok := damageOf(err); ok {
		if clean != nil {
			return d // a clean close leaves nothing unfinished: opening refuses it too
		}
		return s.judge(d)
	}
	if !isEOF(err) {
		return err
	}
	if head := s.chain.Head; clean != nil && (head.Seq < clean.Seq || head.Seq == clean.Seq && head.Hash != clean.Hash) {
		return s.damage(intact("the log ends here with seq %d (%s), but was closed with seq %d (%s)", head.Seq, head.Hash, clean.Seq, clean.Hash))
	}
	return nil
}

// readState gives what is in dir now. What a writer adds later is not part of it.
func readState(dir string, clean *events.Head) (*state, error) {
	o := opening{dir: dir, clean: clean}
	if err := o.readDir(); err != nil || len(o.segs) == 0 {
		return &state{}, err
	}
	st := &state{start: o.start, segs: o.segs}
	size, err := osDisk{}.size(segmentPath(dir, st.lastSegment()))
	st.tail = size
	return st, err
}

// judge tells whether d, where s stands, may be an unfinished group. It has one
// segment in memory at a time.
func (s *scanner) judge(d *Damage) error {
	off := s.off
	for i := s.at; i < len(s.segs); i++ {
		rest, err := readRest(s.dir, s.segs[i:i+1], off)
		if err != nil {
			return errors.Join(d, err)
		}
		if i == len(s.segs)-1 {
			rest[0].data = rest[0].data[:min(int64(len(rest[0].data)), s.tail-rest[0].offset)]
		}
		if _, later := laterGroup(rest, d.Seq); later {
			return d
		}
		off = 0
	}
	d.Unfinished = !d.intact
	return d
}
