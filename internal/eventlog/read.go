package eventlog

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path/filepath"

	"github.com/metalog/metalog/events"
)

func (f *File) cleanPath() string { return filepath.Join(f.dir, cleanFile) }

// First implements [events.Reader].
func (f *File) First() uint64 { return f.state.Load().start.First }

// Start tells where the log starts.
func (f *File) Start() Start { return f.state.Load().start }

// Head implements [events.Reader].
func (f *File) Head() events.Head { return f.state.Load().head }

// Wait implements [Log].
func (f *File) Wait(ctx context.Context, seq uint64) error {
	for {
		st := f.state.Load()
		if st.head.Seq >= seq {
			return nil
		}
		if st.err != nil {
			return st.err
		}
		select {
		case <-st.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Records implements [events.Reader].
func (f *File) Records(ctx context.Context, from uint64) iter.Seq2[*events.Record, error] {
	return Records(f.located(ctx, from, scanOnce))
}

// Records decodes frames, and says of a record that can't be decoded where it stands.
// It keeps nothing of a frame's bytes.
func Records(located iter.Seq2[Located, error]) iter.Seq2[*events.Record, error] {
	return func(yield func(*events.Record, error) bool) {
		decoder := new(events.Decoder)
		for at, err := range located {
			if err != nil {
				yield(nil, err)
				return
			}
			rec, err := at.RecordBy(decoder)
			if err != nil {
				yield(nil, events.Errorf(events.CodeOf(err), "segment %s, seq %d, byte %d: %w", at.Segment, at.Seq, at.Offset, err))
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// Frames implements [Log].
func (f *File) Frames(ctx context.Context, from uint64) iter.Seq2[Frame, error] {
	located := f.located(ctx, from, scanToKeep)
	return func(yield func(Frame, error) bool) {
		for at, err := range located {
			if !yield(at.Frame, err) {
				return
			}
		}
	}
}

// located yields the frames from seq from to the head at the time of the call.
func (f *File) located(ctx context.Context, from uint64, use frameUse) iter.Seq2[Located, error] {
	st := f.state.Load()
	return func(yield func(Located, error) bool) {
		if err := st.inRange(from); err != nil {
			yield(Located{}, err)
			return
		}
		if from > st.head.Seq {
			return
		}
		s := st.seek(f.dir, from)
		s.use = use
		defer s.close()
		err := s.run(ctx, from, st.head.Seq, yield)
		if isEOF(err) {
			err = s.damage(torn("the segment ends here, the log's head is %d", st.head.Seq))
		}
		if err != nil {
			yield(Located{}, f.readError(err, from))
		}
	}
}

func (st *state) inRange(from uint64) error {
	switch {
	case st.closed:
		return st.err
	case from < st.start.First:
		return events.Errorf(events.CodeOutOfRange, "seq %d is not in the log any more, it starts at %d; read it from the archive or begin with a snapshot", from, st.start.First)
	case from > st.head.Seq+1:
		return events.Errorf(events.CodeOutOfRange, "seq %d is beyond the log's head %d; give that one or an earlier one", from, st.head.Seq)
	}
	return nil
}

// readError is what a reader that began at seq from is told.
func (f *File) readError(err error, from uint64) error {
	if d, ok := damageOf(err); ok {
		return d.corrupt()
	}
	if errors.Is(err, fs.ErrNotExist) {
		// Dropped while it was read, or lost.
		if gone := f.state.Load().inRange(from); gone != nil {
			return gone
		}
		return events.Errorf(events.CodeCorrupt, "a segment of the log is missing: %w; restore it from a backup", err)
	}
	return err
}
