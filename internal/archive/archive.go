package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// Archive is the archive of a log: files that each have one segment of it, from
// the archive's first record up to where the log goes on. All methods are safe for
// concurrent use; those that write are for one process at a time.
type Archive struct {
	place Place
	clock func() time.Time
	have  atomic.Pointer[contents]

	writing sync.Mutex // held by what writes

	manifests *lru[name, *Manifest]
	packs     *lru[packKey, packed]
}

// contents is what an archive has at one moment. It never changes once published.
type contents struct {
	state State
	files []file      // ascending, without holes but for missing ones
	head  events.Head // behind the last file; the state's first less one if there is none
}

// file is a file of the archive, or a hole where one should be.
type file struct {
	name
	bytes   int64 // compressed
	missing bool
}

// find returns the index of the file that has a seq.
func (c *contents) find(seq uint64) (int, bool) {
	i, _ := slices.BinarySearchFunc(c.files, seq, func(f file, seq uint64) int {
		if f.last < seq {
			return -1
		}
		return 1
	})
	return i, i < len(c.files) && c.files[i].first <= seq
}

// Options of [Open] and [Create].
type Options struct {
	LogID uuid.UUID // that the archive must be of; zero: any
	// Upto is the last record that the log does not have any more, as its start
	// tells: the archive has to reach it. Zero: the log has all of its records.
	Upto  events.Head
	Clock func() time.Time // nil: time.Now
}

// Open opens the archive in a place. It is ErrNotFound when there is none,
// ErrConflict when it is another log's, and ErrUnavailable when the place can't be
// reached.
func Open(ctx context.Context, place Place, opts Options) (*Archive, error) {
	state, err := readState(ctx, place)
	if err != nil {
		return nil, err
	}
	if opts.LogID != uuid.Nil && state.LogID != opts.LogID {
		return nil, events.Errorf(events.CodeConflict, "archive %s: it is of log %s, and this is log %s; name the place of this log's archive", place, state.LogID, opts.LogID)
	}
	items, err := place.List(ctx, segmentsDir)
	if err != nil {
		return nil, err
	}
	a := &Archive{place: place, clock: opts.Clock, manifests: newLRU[name, *Manifest](manifestsKept), packs: newLRU[packKey, packed](packsKept)}
	if a.clock == nil {
		a.clock = time.Now
	}
	have, err := a.chainTo(ctx, state, opts.Upto, filesIn(items))
	if err != nil {
		return nil, err
	}
	a.have.Store(have)
	return a, nil
}

// OpenFor opens the archive that a log's start names: it has to have what the log
// does not have any more. One that is not there is ErrUnavailable then.
func OpenFor(ctx context.Context, location string, opts Options) (*Archive, error) {
	place, err := OpenPlace(location)
	if err != nil {
		return nil, err
	}
	a, err := Open(ctx, place, opts)
	if errors.Is(err, events.ErrNotFound) && opts.Upto.Seq > 0 {
		err = events.Errorf(events.CodeUnavailable, "%w; the log's first %d records were moved there: if it is elsewhere now, name the place with 'metalog archive --to LOCATION'", err, opts.Upto.Seq)
	}
	return a, err
}

// filesIn returns the files that have a manifest, by their last seq.
func filesIn(items []Item) map[uint64][]file {
	bytes := map[name]int64{}
	byLast := map[uint64][]file{}
	for _, item := range items {
		if n, suffix, ok := parseName(item.Name); ok && suffix == dataSuffix {
			bytes[n] = item.Bytes
		}
	}
	for _, item := range items {
		if n, suffix, ok := parseName(item.Name); ok && suffix == manifestSuffix {
			byLast[n.last] = append(byLast[n.last], file{name: n, bytes: bytes[n]})
		}
	}
	return byLast
}

// chainTo finds the files that lead up to a record of the log, from that backwards:
// each must end with the record that the one after it follows. Others don't count:
// they were left by a crash, or are of an epoch that was given up.
func (a *Archive) chainTo(ctx context.Context, state State, upto events.Head, byLast map[uint64][]file) (*contents, error) {
	c := &contents{state: state, head: upto}
	if upto.Seq < state.First {
		c.head = events.Head{Seq: state.First - 1, Hash: state.Prev}
		return c, nil
	}
	at, hash := upto.Seq, hashPrefix(upto.Hash) // hash is empty when it is not known
	for at >= state.First {
		f, ok := endingWith(byLast[at], hash)
		if !ok {
			f = file{name: name{holeBegin(byLast, state.First, at), at, hash}, missing: true}
		}
		c.files = append(c.files, f)
		at, hash = f.first-1, ""
		if ok && len(byLast[at]) > 1 {
			m, err := a.manifest(ctx, f.name)
			if err != nil {
				return nil, err
			}
			hash = hashPrefix(m.Prev)
		}
	}
	slices.Reverse(c.files)
	return c, nil
}

// endingWith returns the file whose last frame has a hash, or any if the hash is
// not known.
func endingWith(files []file, hash string) (file, bool) {
	for _, f := range files {
		if hash == "" || f.hash == hash {
			return f, true
		}
	}
	return file{}, false
}

// holeBegin returns where what is missing up to a seq begins.
func holeBegin(byLast map[uint64][]file, first, to uint64) uint64 {
	for last := range byLast {
		if last < to {
			first = max(first, last+1)
		}
	}
	return first
}

// First is the seq of the archive's first record, or of the one that it would be.
func (a *Archive) First() uint64 { return a.have.Load().state.First }

// Head is where the archive ends.
func (a *Archive) Head() events.Head { return a.have.Load().head }

// State tells whose archive it is and where it begins.
func (a *Archive) State() State { return a.have.Load().state }

// String is the archive's location.
func (a *Archive) String() string { return a.place.String() }

// manifest reads the manifest of a file.
func (a *Archive) manifest(ctx context.Context, n name) (*Manifest, error) {
	if m, ok := a.manifests.get(n); ok {
		return m, nil
	}
	data, err := read(ctx, a.place, n.manifest(), 0, -1)
	if notThere(err) {
		return nil, a.absent(ctx, n, "its manifest is missing")
	}
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(data, n)
	if err != nil {
		return nil, a.damaged(n, n.first, 0, "%v", err)
	}
	a.manifests.add(n, m)
	return m, nil
}

// Damage is a place in an archive where what should be there is not. The error that
// carries one is ErrCorrupt.
type Damage struct {
	Archive string // its location
	File    string // in the archive
	Seq     uint64 // of the record that should be there
	Offset  int64  // in the segment that the file was made from, in bytes
	Reason  string
}

func (d *Damage) Error() string {
	return fmt.Sprintf("archive %s, file %s, seq %d, byte %d: %s", d.Archive, d.File, d.Seq, d.Offset, d.Reason)
}

func (a *Archive) damaged(n name, seq uint64, offset int64, format string, args ...any) error {
	d := &Damage{a.String(), n.data(), seq, offset, fmt.Sprintf(format, args...)}
	return events.Errorf(events.CodeCorrupt, "the archive is damaged: %w; restore the file from a copy of the archive", d)
}

func (a *Archive) missing(f file) error {
	return a.damaged(f.name, f.first, 0, "seqs %d to %d are missing, no file of the archive ends with them", f.first, f.last)
}

// Size returns how many files the archive has, and their bytes, compressed.
func (a *Archive) Size() (files int, bytes int64) {
	for _, f := range a.have.Load().files {
		if !f.missing {
			files, bytes = files+1, bytes+f.bytes
		}
	}
	return files, bytes
}

// Files reads the manifests of all files, the oldest first. It goes on after an
// error, which is ErrCorrupt for a file that is missing or whose manifest is damaged.
func (a *Archive) Files(ctx context.Context) iter.Seq2[*Manifest, error] {
	return func(yield func(*Manifest, error) bool) {
		for _, f := range a.have.Load().files {
			m, err := a.manifestOf(ctx, f)
			if !yield(m, err) {
				return
			}
		}
	}
}

func (a *Archive) manifestOf(ctx context.Context, f file) (*Manifest, error) {
	if f.missing {
		return nil, a.missing(f)
	}
	return a.manifest(ctx, f.name)
}
