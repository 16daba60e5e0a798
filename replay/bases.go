package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/archive"
	"github.com/metalog/metalog/internal/durable"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/views"
)

// Bases are the states that a rebuild can begin with: a store's snapshots, and the
// copy of the views that a pruned archive keeps.
type Bases struct {
	Snapshots Snapshots       // without a directory: there are none
	Archive   *archive.Opener // nil: there is none
}

// Base is one of them. The zero Base is no views: the log's first record is the first to
// be applied.
type Base struct {
	Snapshot
	// Archived: it is in the archive, not among the snapshots.
	Archived bool

	kept   bool // it is a file of an [AsOf]
	copyTo func(ctx context.Context, w io.Writer) error
}

// Extract copies the base to a views file at path, durably, replacing what is there.
// One that differs from its manifest is ErrCorrupt, and path is as it was.
func (b Base) Extract(ctx context.Context, path string) error {
	return durable.Replace(path, func(w io.Writer) error { return b.copyTo(ctx, w) })
}

// Nearest returns the newest base for the state of a seq; log is log and archive as one.
// found is false when the state has to be made from the log's first record on. It is
// ErrOutOfRange when that record is gone too, and says from which seq on states can
// be made.
func (b Bases) Nearest(ctx context.Context, log eventlog.Reader, seq uint64) (base Base, found bool, err error) {
	list, err := b.usable(ctx, log, seq)
	if err != nil {
		return base, false, err
	}
	return list[0], list[0].Seq > 0, nil
}

// usable returns the bases, and those of more, that the state of a seq can be made from,
// the nearest first: those of this program's schema version that are not beyond the seq
// and that the log goes on from. It is ErrOutOfRange when there are none, and names the
// first state that can be made.
func (b Bases) usable(ctx context.Context, log eventlog.Reader, seq uint64, more ...Base) ([]Base, error) {
	list, err := b.listFor(ctx, log, seq)
	if err != nil {
		return nil, err
	}
	first := log.First()
	list = slices.DeleteFunc(append(list, more...), func(base Base) bool { return !base.leadsTo(first) })
	if first <= 1 {
		list = append(list, Base{})
	}
	slices.SortStableFunc(list, func(a, b Base) int { return cmp.Compare(b.Seq, a.Seq) })
	reach := slices.IndexFunc(list, func(base Base) bool { return base.Seq <= seq })
	switch {
	case len(list) == 0:
		return nil, events.Errorf(events.CodeOutOfRange, "the state at seq %d can't be made: the records before seq %d are gone, and there is no snapshot that they were in; name the place of the log's archive, or restore a backup", seq, first)
	case reach < 0:
		return nil, events.Errorf(events.CodeOutOfRange, "the state at seq %d can't be made any more: the records before seq %d are gone; ask for seq %d or a later one", seq, first, list[len(list)-1].Seq)
	}
	return list[reach:], nil
}

// leadsTo reports whether views can be made from a snapshot and a log that begins with
// first.
func (s Snapshot) leadsTo(first uint64) bool {
	return s.SchemaVersion == views.SchemaVersion && s.Seq+1 >= first
}

// listFor lists the bases for the state of a seq. An archive that is not open is not
// waited for when a snapshot and the log by itself are enough.
func (b Bases) listFor(ctx context.Context, log eventlog.Reader, seq uint64) ([]Base, error) {
	if b.Archive == nil || b.Archive.Opened() != nil {
		return b.list(ctx)
	}
	snapshots, err := b.ofSnapshots()
	if err != nil {
		return nil, err
	}
	first := log.Head().Seq + 1 // that the log has itself
	for _, segment := range slices.Backward(log.Segments()) {
		if segment.Archived {
			break
		}
		first = segment.First
	}
	enough := func(base Base) bool { return base.Seq <= seq && base.leadsTo(first) }
	if slices.ContainsFunc(snapshots, enough) {
		return snapshots, nil
	}
	return b.list(ctx)
}

func (b Bases) ofSnapshots() ([]Base, error) {
	if b.Snapshots.Dir == "" {
		return nil, nil
	}
	snapshots, err := b.Snapshots.List()
	list := make([]Base, 0, len(snapshots)+1)
	for _, snap := range snapshots {
		list = append(list, Base{Snapshot: snap, copyTo: b.Snapshots.copierOf(snap)})
	}
	return list, err
}

func (b Bases) list(ctx context.Context) ([]Base, error) {
	list, err := b.ofSnapshots()
	if err != nil || b.Archive == nil || !b.Archive.Known() {
		return list, err
	}
	a, err := b.Archive.Archive(ctx)
	if err != nil {
		return list, nil // what needs it tells when its records are read
	}
	base := a.State().Base
	if base == nil {
		return list, nil
	}
	var snap Snapshot
	if err := json.Unmarshal(base.Snapshot, &snap); err != nil {
		return nil, events.Errorf(events.CodeCorrupt, "archive %s: what it tells of its base can't be read: %w", a, err)
	}
	return append(list, Base{Snapshot: snap, Archived: true, copyTo: func(ctx context.Context, w io.Writer) error { return a.CopyBase(ctx, base, w) }}), nil
}

// NewArchiveBase stores a snapshot in an archive, to be its base.
func NewArchiveBase(ctx context.Context, a *archive.Archive, s Snapshots, snap Snapshot) (*archive.Base, error) {
	manifest, err := json.Marshal(snap)
	if err != nil {
		return nil, err
	}
	b := archive.Base{Seq: snap.Seq, Hash: snap.Hash, SizeBytes: snap.SizeBytes, SHA256: snap.SHA256, Snapshot: manifest}
	return a.PutBase(ctx, b, func(w io.Writer) error { return s.CopyTo(ctx, w, snap) })
}

// Earliest returns the seq of the first state that can be made from the snapshots when
// the log begins with first, and otherwise is a base as well.
func (b Bases) Earliest(first, otherwise uint64) (uint64, error) {
	list, err := b.Snapshots.List()
	if err != nil {
		return 0, err
	}
	for _, snap := range list { // the oldest first
		if snap.leadsTo(first) {
			return min(snap.Seq, otherwise), nil
		}
	}
	return otherwise, nil
}
