package archive

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// What is kept in memory: a pack takes about half a megabyte, a manifest some
// kilobytes.
const (
	packsKept     = 32
	manifestsKept = 1024
	packsAhead    = 2
)

// packKey names a block.
type packKey struct {
	name
	block int
}

// packed is a block, decompressed, and where its entries begin in the segment.
type packed struct {
	eventlog.Pack
	of     name
	file   string // of that name
	offset int64
}

func (p *packed) located(i int) eventlog.Located {
	return eventlog.Located{Frame: p.Frames[i], Segment: p.file, Offset: p.offset + p.Offsets[i]}
}

// maxPack is the most that a block can take decompressed.
const maxPack = blockBytes + 2*events.MaxRecordBytes

var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxPack))
	if err != nil {
		panic(err) // wrong options above: no test gets past it
	}
	return d
})

// plains are buffers of what was decompressed.
var plains = sync.Pool{New: func() any { return new([]byte) }}

// unpack restores block i of a file from its bytes, into the memory of used.
func (a *Archive) unpack(m *Manifest, i int, compressed []byte, used eventlog.Pack) (packed, error) {
	b := m.Blocks[i]
	end, _ := m.blockEnd(i)
	plain := plains.Get().(*[]byte)
	defer plains.Put(plain)
	var err error
	if *plain, err = decoder().DecodeAll(compressed, (*plain)[:0]); err != nil {
		*plain = nil
		return packed{}, a.damaged(m.name(), b.FirstSeq, b.Offset, "the block can't be decompressed: %v", err)
	}
	if err := used.Unpack(*plain, end-b.Offset); err != nil {
		return packed{}, a.damaged(m.name(), b.FirstSeq, b.Offset, "%v", err)
	}
	last := m.LastSeq
	if i+1 < len(m.Blocks) {
		last = m.Blocks[i+1].FirstSeq - 1
	}
	if used.Frames[0].Seq != b.FirstSeq || used.Last().Seq != last {
		return packed{}, a.damaged(m.name(), b.FirstSeq, b.Offset, "the block has seqs %d to %d, and should have %d to %d", used.Frames[0].Seq, used.Last().Seq, b.FirstSeq, last)
	}
	return packed{used, m.name(), m.File(), b.Offset}, nil
}

// block returns a block of a file, by way of the cache.
func (a *Archive) block(ctx context.Context, m *Manifest, i int) (packed, error) {
	key := packKey{m.name(), i}
	if p, ok := a.packs.get(key); ok {
		return p, nil
	}
	_, end := m.blockEnd(i)
	compressed, err := a.read(ctx, m, m.Blocks[i].At, end-m.Blocks[i].At)
	if err != nil {
		return packed{}, err
	}
	p, err := a.unpack(m, i, compressed, eventlog.Pack{})
	if err == nil {
		a.packs.add(key, p)
	}
	return p, err
}

func (a *Archive) read(ctx context.Context, m *Manifest, at, n int64) ([]byte, error) {
	data, err := read(ctx, a.place, m.name().data(), at, n)
	return data, a.dataError(ctx, m, err)
}

// dataError says of a file that is missing what that means.
func (a *Archive) dataError(ctx context.Context, m *Manifest, err error) error {
	if notThere(err) {
		return a.absent(ctx, m.name(), "the file is missing")
	}
	return err
}

// absent is the error for a file that was there: a prune took it away meanwhile, maybe
// that of another process, or it is lost.
func (a *Archive) absent(ctx context.Context, n name, reason string) error {
	if state, err := readState(ctx, a.place); err == nil && n.last < state.First {
		return eventlog.Gone(n.first, state.First)
	}
	return a.damaged(n, n.first, 0, "%s", reason)
}

// frames yields the frames of the seqs from up to to, which the archive has to
// have. They are as they were archived if their chain is unbroken, which is for
// the caller to see.
func (a *Archive) frames(ctx context.Context, from, to uint64) iter.Seq2[eventlog.Located, error] {
	return func(yield func(eventlog.Located, error) bool) {
		for p, err := range a.packsFrom(ctx, from, to) {
			if err != nil {
				yield(eventlog.Located{}, err)
				return
			}
			for i, f := range p.Frames {
				if f.Seq < from {
					continue
				}
				if f.Seq > to || !yield(p.located(i), nil) {
					return
				}
			}
		}
	}
}

// Located yields the frames from a seq on to the archive's end, with the files and
// places where they stand. They are as they were archived if their chain is unbroken,
// which is for the caller to see.
func (a *Archive) Located(ctx context.Context, from uint64) iter.Seq2[eventlog.Located, error] {
	last := a.Head().Seq
	if from > last {
		return func(func(eventlog.Located, error) bool) {}
	}
	return a.frames(ctx, from, last)
}

// packsFrom yields the blocks that have the seqs from up to to. The first one comes
// by way of the cache, for those who want a record or two; for the rest files are
// read through, ahead of who asks.
func (a *Archive) packsFrom(ctx context.Context, from, to uint64) iter.Seq2[packed, error] {
	return func(yield func(packed, error) bool) {
		first, err := a.packOf(ctx, from)
		if !yield(first, err) || err != nil || first.Last().Seq >= to {
			return
		}
		for p, err := range ahead(ctx, packsAhead, a.streamed(first.Last().Seq+1, to)) {
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// fileOf returns the manifest of the file that has a seq.
func (a *Archive) fileOf(ctx context.Context, seq uint64) (*Manifest, error) {
	have := a.have.Load()
	i, ok := have.find(seq)
	switch {
	case seq < have.state.First:
		return nil, eventlog.Gone(seq, have.state.First)
	case !ok:
		return nil, events.Errorf(events.CodeCorrupt, "archive %s: it ends with seq %d, and should have seq %d; restore its files from a copy", a, have.head.Seq, seq)
	}
	return a.manifestOf(ctx, have.files[i])
}

// blockOf returns the index of the block that has a seq of the file.
func (m *Manifest) blockOf(seq uint64) int {
	i, found := slices.BinarySearchFunc(m.Blocks, seq, func(b Block, seq uint64) int {
		if b.FirstSeq < seq {
			return -1
		}
		return min(int(b.FirstSeq-seq), 1)
	})
	if found {
		return i
	}
	return i - 1
}

func (a *Archive) packOf(ctx context.Context, seq uint64) (packed, error) {
	m, err := a.fileOf(ctx, seq)
	if err != nil {
		return packed{}, err
	}
	return a.block(ctx, m, m.blockOf(seq))
}

// streamed yields the blocks with the seqs from up to to, reading files through.
func (a *Archive) streamed(from, to uint64) func(context.Context, func(packed, error) bool) {
	return func(ctx context.Context, yield func(packed, error) bool) {
		for next := from; next <= to; {
			m, err := a.fileOf(ctx, next)
			if err != nil {
				yield(packed{}, err)
				return
			}
			for p, err := range a.through(ctx, m, m.blockOf(next)) {
				if !yield(p, err) || err != nil || p.Last().Seq >= to {
					return
				}
			}
			next = m.LastSeq + 1
		}
	}
}

// through yields the blocks of a file from block i on, reading it once.
func (a *Archive) through(ctx context.Context, m *Manifest, i int) iter.Seq2[packed, error] {
	return func(yield func(packed, error) bool) {
		r, err := a.place.Get(ctx, m.name().data(), m.Blocks[i].At, -1)
		if err != nil {
			yield(packed{}, a.dataError(ctx, m, err))
			return
		}
		defer r.Close() //nolint:errcheck // only read
		var compressed []byte
		for ; i < len(m.Blocks); i++ {
			_, end := m.blockEnd(i)
			compressed = slices.Grow(compressed[:0], int(end-m.Blocks[i].At))[:end-m.Blocks[i].At]
			if _, err := io.ReadFull(r, compressed); err != nil {
				yield(packed{}, a.cutOff(m, i, err))
				return
			}
			p, err := a.unpack(m, i, compressed, eventlog.Pack{})
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// cutOff is the error for a block that could not be read.
func (a *Archive) cutOff(m *Manifest, i int, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return a.damaged(m.name(), m.Blocks[i].FirstSeq, m.Blocks[i].Offset, "the file ends too early")
	}
	return readFailed(a.place, m.name().data(), err)
}

// ahead yields what produce does, which runs in a goroutine of its own, up to n
// things ahead.
func ahead[T any](ctx context.Context, n int, produce func(context.Context, func(T, error) bool)) iter.Seq2[T, error] {
	type result struct {
		value T
		err   error
	}
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		results := make(chan result, n)
		var producer sync.WaitGroup
		producer.Go(func() {
			defer close(results)
			produce(ctx, func(value T, err error) bool {
				select {
				case results <- result{value, err}:
					return true
				case <-ctx.Done():
					return false
				}
			})
		})
		defer producer.Wait()
		defer cancel()
		for r := range results {
			if !yield(r.value, r.err) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			var none T
			yield(none, err)
		}
	}
}

// frameAt reads one frame, see [eventlog.Reader].
func (a *Archive) frameAt(ctx context.Context, seq uint64, offset int64) (eventlog.Frame, error) {
	p, err := a.packOf(ctx, seq)
	if err != nil {
		return eventlog.Frame{}, err
	}
	i := seq - p.Frames[0].Seq
	if at := p.located(int(i)); at.Offset != offset {
		return eventlog.Frame{}, a.damaged(p.of, seq, offset, "the record stands at byte %d", at.Offset)
	}
	return p.Frames[i], nil
}

// seqAt returns the last seq of the archive whose time is t or before; First()-1
// when all are later.
func (a *Archive) seqAt(ctx context.Context, t events.Time) (uint64, error) {
	have := a.have.Load()
	m, err := a.lastBefore(ctx, have.files, t)
	if err != nil {
		return 0, err
	}
	if m == nil {
		return have.state.First - 1, nil
	}
	i, _ := slices.BinarySearchFunc(m.Blocks, t, func(b Block, t events.Time) int {
		if b.Time <= t {
			return -1
		}
		return 1
	})
	p, err := a.block(ctx, m, i-1)
	if err != nil {
		return 0, err
	}
	seq := p.Frames[0].Seq
	for _, f := range p.Frames {
		if f.Time <= t {
			seq = f.Seq
		}
	}
	return seq, nil
}

// lastBefore returns the manifest of the last file that begins at a time or before;
// nil if none does.
func (a *Archive) lastBefore(ctx context.Context, files []file, t events.Time) (*Manifest, error) {
	var found *Manifest
	for low, high := 0, len(files); low < high; {
		mid := (low + high) / 2
		m, err := a.manifestOf(ctx, files[mid])
		if err != nil {
			return nil, err
		}
		if m.FirstTime <= t {
			found, low = m, mid+1
		} else {
			high = mid
		}
	}
	return found, nil
}
