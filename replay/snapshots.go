package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
	"github.com/metalog/metalog/views"
)

// Snapshot tells what a copy of the views holds. It is the copy's manifest.
type Snapshot struct {
	LogID         uuid.UUID   `json:"log_id"`
	Epoch         uint64      `json:"epoch"`
	Seq           uint64      `json:"seq"`              // the last record in it
	Hash          events.Hash `json:"hash"`             // of that record's frame
	Time          events.Time `json:"time"`             // of that record
	Events        uint64      `json:"events,omitempty"` // in all records up to it; 0: not noted
	Digest        events.Hash `json:"digest"`
	SchemaVersion uint64      `json:"schema_version"`
	SizeBytes     int64       `json:"size_bytes"`
	SHA256        events.Hash `json:"sha256"` // of the file
	CreatedAt     events.Time `json:"created_at"`
}

// Head returns the snapshot's position in the log.
func (s Snapshot) Head() events.Head { return events.Head{Seq: s.Seq, Hash: s.Hash} }

func (s Snapshot) contents() contents { return contents{s.SizeBytes, s.SHA256} }

// Snapshots is a directory of copies of the views, two files each, named after
// the seq: SEQ.db, and the manifest SEQ.json. The manifest is written last and
// removed first, so that a copy that has one is whole and durable, and one that
// has none does not exist.
//
// Create and Prune are for one caller at a time; the rest may run beside them.
type Snapshots struct {
	Dir   string           // made when it is needed
	Clock func() time.Time // nil: time.Now
}

const (
	copySuffix     = ".db"
	manifestSuffix = ".json"
	// unnamedCopy is a copy whose seq is not known yet.
	unnamedCopy = "new" + copySuffix
)

func (s Snapshots) path(seq uint64, suffix string) string {
	return filepath.Join(s.Dir, fmt.Sprintf("%020d%s", seq, suffix))
}

// seqs returns the seqs of all manifests, ascending.
func (s Snapshots) seqs() ([]uint64, error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, s.failed(err)
	}
	var seqs []uint64
	for _, e := range entries {
		number, isManifest := strings.CutSuffix(e.Name(), manifestSuffix)
		if seq, err := strconv.ParseUint(number, 10, 64); isManifest && err == nil {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return seqs, nil
}

// Witness returns the seq of the newest snapshot, whatever its state, or 0. The
// log must reach it: a record was durable before a snapshot had it.
func (s Snapshots) Witness() (uint64, error) {
	seqs, err := s.seqs()
	if err != nil || len(seqs) == 0 {
		return 0, err
	}
	return seqs[len(seqs)-1], nil
}

// List returns all snapshots, the oldest first. Manifests that can't be read are
// left out: their snapshots are of no use.
func (s Snapshots) List() ([]Snapshot, error) {
	seqs, err := s.seqs()
	if err != nil {
		return nil, err
	}
	list := []Snapshot{}
	for _, seq := range seqs {
		if snap, ok := s.manifest(seq); ok {
			list = append(list, snap)
		}
	}
	return list, nil
}

// manifest reads a manifest. ok is false if it is missing or damaged.
func (s Snapshots) manifest(seq uint64) (snap Snapshot, ok bool) {
	data, err := os.ReadFile(s.path(seq, manifestSuffix))
	if err == nil {
		err = json.Unmarshal(data, &snap)
	}
	return snap, err == nil && snap.Seq == seq
}

// Nearest returns the newest snapshot of this program's schema version that is
// not beyond a seq.
func (s Snapshots) Nearest(seq uint64) (snap Snapshot, found bool, err error) {
	list, err := s.List()
	if err != nil {
		return snap, false, err
	}
	for _, snap := range slices.Backward(list) {
		if snap.Seq <= seq && snap.SchemaVersion == views.SchemaVersion {
			return snap, true, nil
		}
	}
	return snap, false, nil
}

// Newest returns the newest snapshot of this program's schema version.
func (s Snapshots) Newest() (snap Snapshot, found bool, err error) { return s.Nearest(math.MaxUint64) }

// Create makes a snapshot of what is published in db, and makes it durable.
// Writers, readers and flushes go on meanwhile. When there is a good one of that
// seq already, it returns that.
func (s Snapshots) Create(ctx context.Context, db *views.DB) (Snapshot, error) {
	snap, err := s.create(ctx, db)
	if err != nil {
		return Snapshot{}, s.failed(err)
	}
	return snap, nil
}

func (s Snapshots) create(ctx context.Context, db *views.DB) (Snapshot, error) {
	if err := db.FlushAll(ctx); err != nil {
		return Snapshot{}, err
	}
	seq := db.Flushed().Seq
	if seq == 0 {
		return Snapshot{}, events.Errorf(events.CodeInvalid, "the views are empty; a snapshot needs a record to stand at")
	}
	if there, ok := s.manifest(seq); ok && s.Verify(ctx, there) == nil {
		return there, nil
	}
	if err := durable.MkdirAll(s.Dir); err != nil {
		return Snapshot{}, err
	}
	snap, err := s.copyViews(ctx, db)
	if err != nil {
		return Snapshot{}, err
	}
	return snap, s.name(snap)
}

// copyViews makes the copy, under a name that means nothing yet.
func (s Snapshots) copyViews(ctx context.Context, db *views.DB) (snap Snapshot, err error) {
	epoch, err := epochOf(db)
	if err != nil {
		return snap, err
	}
	err = durable.Replace(filepath.Join(s.Dir, unnamedCopy), func(w io.Writer) error {
		sum := newSumWriter(w)
		at, err := db.CopyTo(ctx, sum)
		is := sum.contents()
		snap = Snapshot{
			LogID: epoch.LogID, Epoch: epoch.Epoch,
			Seq: at.Seq, Hash: at.Hash, Time: at.Time, Events: at.Events, Digest: at.Digest, SchemaVersion: at.SchemaVersion,
			SizeBytes: is.size, SHA256: is.sum, CreatedAt: s.now(),
		}
		return err
	})
	return snap, err
}

// name gives a new copy its name and its manifest, with which it exists. A
// snapshot of the same seq was found damaged; it stops existing first.
func (s Snapshots) name(snap Snapshot) error {
	if err := durable.Remove(s.path(snap.Seq, manifestSuffix)); err != nil {
		return err
	}
	if err := durable.Rename(filepath.Join(s.Dir, unnamedCopy), s.path(snap.Seq, copySuffix)); err != nil {
		return err
	}
	return s.writeManifest(snap)
}

func (s Snapshots) writeManifest(snap Snapshot) error {
	manifest, err := json.MarshalIndent(snap, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(s.path(snap.Seq, manifestSuffix), append(manifest, '\n'))
}

// epochOf returns what the log's last epoch began with, as the views know it.
func epochOf(db *views.DB) (events.EpochStarted, error) {
	now, err := db.Snapshot()
	if err != nil {
		return events.EpochStarted{}, err
	}
	epoch, err := now.Log()
	return epoch, errors.Join(err, now.Close())
}

func (s Snapshots) now() events.Time {
	if s.Clock == nil {
		return events.TimeOf(time.Now())
	}
	return events.TimeOf(s.Clock())
}

// Verify reads a snapshot and compares it with its manifest. It is ErrCorrupt
// when they differ.
func (s Snapshots) Verify(ctx context.Context, snap Snapshot) error {
	return s.copyTo(ctx, io.Discard, snap)
}

// Extract copies a snapshot to a views file at path, durably, replacing what is
// there. A snapshot that differs from its manifest is ErrCorrupt, and path is as
// it was.
func (s Snapshots) Extract(ctx context.Context, snap Snapshot, path string) error {
	return durable.Replace(path, func(w io.Writer) error { return s.copyTo(ctx, w, snap) })
}

// CopyTo writes a snapshot's views file to w. A snapshot that differs from its
// manifest is ErrCorrupt; w has got some of it by then.
func (s Snapshots) CopyTo(ctx context.Context, w io.Writer, snap Snapshot) error {
	if err := s.copyTo(ctx, w, snap); err != nil {
		return s.failed(err)
	}
	return nil
}

func (s Snapshots) copyTo(ctx context.Context, w io.Writer, snap Snapshot) error {
	err := copyChecked(ctx, w, s.path(snap.Seq, copySuffix), snap.contents())
	if errors.Is(err, events.ErrCorrupt) {
		return events.Errorf(events.CodeCorrupt, "snapshot %d is damaged: %w; use another one", snap.Seq, err)
	}
	return err
}

// copierOf returns what writes a snapshot's views file to w.
func (s Snapshots) copierOf(snap Snapshot) func(ctx context.Context, w io.Writer) error {
	return func(ctx context.Context, w io.Writer) error { return s.CopyTo(ctx, w, snap) }
}

// failed gives an error of a file a code.
func (s Snapshots) failed(err error) error {
	return events.Errorf(events.CodeOf(err), "snapshots %s: %w", s.Dir, err)
}
