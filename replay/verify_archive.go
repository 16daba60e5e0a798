package replay

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"path/filepath"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/archive"
	"github.com/metalog/metalog/internal/eventlog"
)

// VerifyArchive tells of the archive that was checked.
type VerifyArchive struct {
	Location string `json:"location"`
	Files    int    `json:"files"`
}

// openArchive opens the archive that the log's start names, or the options. It is nil
// when there is none, and when it can't be read, which the report tells.
func (v *verification) openArchive(ctx context.Context) (*archive.Archive, error) {
	start, err := eventlog.ReadStart(filepath.Join(v.report.Path, LogDir))
	location := cmp.Or(v.opts.Archive, start.Archive)
	if err != nil || start.First <= 1 || location == "" {
		return nil, nil // a damaged start is found when the log is read
	}
	a, err := archive.OpenFor(ctx, location, archive.Options{LogID: v.report.LogID, Upto: start.Before()})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, events.ErrCorrupt), errors.Is(err, events.ErrConflict):
		return nil, v.archiveDamage(err)
	case err != nil:
		v.report.notChecked("the records before seq %d", start.First)
		v.report.Unreachable = err.Error()
		return nil, nil
	}
	return a, nil
}

// checkArchive checks all files of an archive, as far as each can be read, and that
// they follow each other up to the log.
func (v *verification) checkArchive(ctx context.Context, a *archive.Archive, progress func()) error {
	v.report.Archive = &VerifyArchive{Location: a.String()}
	state := a.State()
	at := events.Head{Seq: state.First - 1, Hash: state.Prev}
	for m, err := range a.Files(ctx) {
		if err == nil {
			err = v.checkFile(ctx, a, m, at, progress)
			at = m.Head()
		}
		if err != nil {
			at = events.Head{} // where the next one begins is not known
			if err := v.archiveDamage(err); err != nil {
				return err
			}
		}
	}
	if at.Hash != (events.Hash{}) && at != a.Head() {
		v.report.find(FindingDamage, nil, "archive %s: it ends with seq %d (%s), and the log goes on after %d (%s)", a, at.Seq, at.Hash, a.Head().Seq, a.Head().Hash)
	}
	return nil
}

// checkFile checks a file, and that it follows what is before it.
func (v *verification) checkFile(ctx context.Context, a *archive.Archive, m *archive.Manifest, after events.Head, progress func()) error {
	v.report.Archive.Files++
	if after.Hash != (events.Hash{}) && m.Prev != after.Hash {
		v.report.find(FindingDamage, &Place{Segment: m.File(), Seq: m.FirstSeq}, "the record was made after another seq %d than the file before it ends with", after.Seq)
	}
	v.log.types = map[string]uint64{}
	defer func() { v.log.types = nil }()
	for at, err := range a.Checked(ctx, m) {
		if err != nil {
			return err
		}
		v.log.frame(at)
		progress()
	}
	if v.log.sound && !maps.Equal(v.log.types, m.Events) {
		v.report.find(FindingDamage, &Place{Segment: m.File(), Seq: m.FirstSeq}, "its manifest tells of other events than the file has")
	}
	return nil
}

// archiveDamage puts damage in the report, or that it is another log's archive; another
// error is given back.
func (v *verification) archiveDamage(err error) error {
	if !errors.Is(err, events.ErrCorrupt) && !errors.Is(err, events.ErrConflict) {
		return err
	}
	v.log.sound = false
	if d, ok := errors.AsType[*archive.Damage](err); ok {
		v.report.find(FindingDamage, &Place{Segment: d.File, Seq: d.Seq, Byte: d.Offset}, "archive %s: %s", d.Archive, d.Reason)
	} else {
		v.report.find(FindingDamage, nil, "%v", err)
	}
	return nil
}

// archiveBytes is what the segments in an archive took in the log, as far as its
// manifests can be read.
func archiveBytes(ctx context.Context, a *archive.Archive) (total int64) {
	for m, err := range a.Files(ctx) {
		if err == nil {
			total += m.SegmentBytes
		}
	}
	return total
}
