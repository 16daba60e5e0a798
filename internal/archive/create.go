package archive

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
	"github.com/metalog/metalog/internal/eventlog"
)

// Create opens the archive in a place to write to it, and makes one if there is
// none. Epoch is that of the log. It is ErrConflict when there is something else in
// the place, when the archive is another log's, or when a later epoch of the log has
// written to it, and when it does not have what the log moved to an archive before.
func Create(ctx context.Context, place Place, epoch uint64, opts Options) (*Archive, error) {
	if opts.LogID == uuid.Nil || epoch == 0 {
		return nil, events.Errorf(events.CodeInvalid, "archive %s: the log has no id yet", place)
	}
	a, err := Open(ctx, place, opts)
	if events.CodeOf(err) == events.CodeNotFound && readable(ctx, place) {
		if err := mayCreate(ctx, place, opts); err != nil {
			return nil, err
		}
		state := State{Format: formatVersion, LogID: opts.LogID, Epoch: epoch, First: 1}
		if err := putState(ctx, place, state); err != nil {
			return nil, err
		}
		a, err = Open(ctx, place, opts)
	}
	if err != nil {
		return nil, err
	}
	return a, a.begin(ctx, epoch)
}

// readable reports whether the place itself is there: a bucket that is not is no
// archive that can be made.
func readable(ctx context.Context, place Place) bool {
	_, err := place.List(ctx, "")
	return err == nil
}

func mayCreate(ctx context.Context, place Place, opts Options) error {
	if opts.Upto.Seq > 0 {
		return events.Errorf(events.CodeConflict, "archive %s: there is none here, but the log's first %d records were moved to one; copy that here first, or name its place", place, opts.Upto.Seq)
	}
	items, err := place.List(ctx, "")
	// A making of the archive that was not finished left nothing else, and the next
	// one replaces it. What is not an archive is not to be swept.
	items = slices.DeleteFunc(items, func(item Item) bool { return item.Name == stateFile+durable.TempSuffix })
	if err != nil || len(items) == 0 {
		return err
	}
	return events.Errorf(events.CodeConflict, "archive %s: it holds something else (%s); name a place that is empty or not there", place, items[0].Name)
}

// begin checks that the log may write to the archive, and notes its epoch.
func (a *Archive) begin(ctx context.Context, epoch uint64) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	have := *a.have.Load()
	for _, f := range have.files {
		if f.missing {
			return a.missing(f)
		}
	}
	switch {
	case have.state.Epoch > epoch:
		return a.givenUp(have.state.Epoch, epoch)
	case have.state.Epoch == epoch:
		return nil
	}
	have.state.Epoch = epoch
	if err := putState(ctx, a.place, have.state); err != nil {
		return err
	}
	a.have.Store(&have)
	return nil
}

// givenUp is the error for a store of an earlier epoch than the one that writes.
func (a *Archive) givenUp(writes, epoch uint64) error {
	return events.Errorf(events.CodeConflict, "archive %s: epoch %d of this log writes to it, and this is epoch %d, which was given up in a repair; use the repaired store, or name another place", a, writes, epoch)
}

// Extend makes a file part of the archive, behind the last one. It is part of it for
// good once the log's start tells so.
func (a *Archive) Extend(m *Manifest) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	have := *a.have.Load()
	if m.LastSeq <= have.head.Seq {
		return nil
	}
	if have.head != (events.Head{Seq: m.FirstSeq - 1, Hash: m.Prev}) {
		return events.Errorf(events.CodeCorrupt, "archive %s: it ends with seq %d (%s), and %s does not follow that", a, have.head.Seq, have.head.Hash, m.name())
	}
	have.files = append(slices.Clip(have.files), file{name: m.name(), bytes: m.FileBytes})
	have.head = m.Head()
	a.have.Store(&have)
	a.manifests.add(m.name(), m)
	return nil
}

// Agree checks that the archive has nothing that the log should have and does not:
// files behind the log's start, of the same epoch, are those of a run that was
// interrupted, and the log has their records. A log that was restored from an old
// backup does not reach them, or goes on differently.
func (a *Archive) Agree(ctx context.Context, log eventlog.Reader, epoch uint64) error {
	files, err := a.Later(ctx, epoch)
	if err != nil {
		return err
	}
	for _, m := range files {
		if head := log.Head().Seq; m.LastSeq > head {
			return events.Errorf(events.CodeCorrupt, "the log ends at seq %d, but the archive %s has seq %d: records were lost; restore a newer backup, or take them from the archive with 'metalog log repair --archive LOCATION --write OUT'", head, a, m.LastSeq)
		}
		if err := a.agree(ctx, log, m); err != nil {
			return err
		}
	}
	return nil
}

// Later returns the files of an epoch of the log that are behind the archive's head,
// by their first seq. They are no part of the archive. One whose manifest is damaged
// is left out: it is made anew when the log's segment is moved.
func (a *Archive) Later(ctx context.Context, epoch uint64) ([]*Manifest, error) {
	items, err := a.place.List(ctx, segmentsDir)
	if err != nil {
		return nil, err
	}
	var later []*Manifest
	for last, files := range filesIn(items) {
		if last <= a.Head().Seq {
			continue
		}
		for _, f := range files {
			m, err := a.manifest(ctx, f.name)
			if errors.Is(err, events.ErrCorrupt) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if m.Epoch == epoch {
				later = append(later, m)
			}
		}
	}
	slices.SortFunc(later, func(a, b *Manifest) int { return cmp.Compare(a.FirstSeq, b.FirstSeq) })
	return later, nil
}

// agree checks that the log has the last record of a file.
func (a *Archive) agree(ctx context.Context, log eventlog.Reader, m *Manifest) error {
	for frame, err := range log.Frames(ctx, m.LastSeq) {
		if err != nil {
			return err
		}
		if frame.Hash != m.LastHash {
			return events.Errorf(events.CodeCorrupt, "seq %d has hash %s in the log, and %s in the archive %s: the log went on after it was restored from an old backup; 'metalog log repair --archive LOCATION --write OUT' makes a store that begins a new epoch", m.LastSeq, frame.Hash, m.LastHash, a)
		}
		break
	}
	return nil
}
