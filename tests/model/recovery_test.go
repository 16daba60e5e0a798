package model

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// reopenStep closes the store and opens it again.
func (r *run) reopenStep() {
	r.Reopen()
	r.compare()
}

// crashStep goes on with what a crash now would leave in the data directory.
// Nothing marks a clean end there, and the views have reached the disk or not.
func (r *run) crashStep() {
	abandoned := r.Options.Path
	left, again := r.tree(abandoned), r.tree(abandoned)
	for !maps.EqualFunc(left, again, bytes.Equal) {
		left, again = again, r.tree(abandoned)
	}
	dir := r.tb.TempDir()
	for path, data := range left {
		path = filepath.Join(dir, path)
		r.tb.ok(errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)))
	}
	before := r.MustInfo()
	r.Options.Path = dir
	r.Reopen() // closes the store that is abandoned, too late to matter
	r.tb.ok(os.RemoveAll(abandoned))
	r.sameAs(before)
}

// tree reads all files of a directory. Two equal readings in a row are what was
// there at a moment between them, though the store may be flushing meanwhile, and a file
// may take the place of another.
func (r *run) tree(dir string) map[string][]byte {
	files := map[string][]byte{}
	r.tb.ok(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			err = readInto(files, dir, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}))
	return files
}

func readInto(files map[string][]byte, dir, path string) error {
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err == nil {
		files[name] = data
	}
	return err
}

// sameAs compares the store with what it was before something happened to it.
func (r *run) sameAs(before metalog.Info) {
	if got := r.MustInfo(); got.Head != before.Head || got.Digest != before.Digest {
		r.Fatalf("got  %+v\nwant %+v", got, before)
	}
	r.compare()
}

// rebuildStep makes views as they were at a seq, from the log alone or with the
// store's snapshots, and compares them with what the store said of itself then.
func (r *run) rebuildStep() {
	want := one(r, "at", r.notes)
	out := filepath.Join(r.tb.TempDir(), "rebuilt.db")
	to := metalog.Point{Seq: want.Head.Seq}
	var report metalog.RebuildReport
	var err error
	if r.chance("from snapshots") {
		report, err = r.Store.Rebuild(r.tb.Context(), metalog.RebuildOrder{To: to, Out: out})
	} else {
		report, err = replay.Rebuild(r.tb.Context(), r.Store.Log(), replay.RebuildOptions{To: to, Out: out})
	}
	r.tb.ok(err)
	db, err := views.Open(views.Options{Path: out})
	r.tb.ok(err)
	got := db.Checkpoint()
	r.tb.ok(errors.Join(db.Close(), os.Remove(out)))
	r.check(nil, []any{got.Head(), got.Digest, got.Time, got.Events, got.Counts.ByNoun(), report.Hash, report.Digest},
		[]any{want.Head, want.Digest, want.Time, want.Events, want.Entities, want.Head.Hash, want.Digest})
}

func (r *run) snapshotStep() {
	snap, err := r.CreateSnapshot(r.tb.Context())
	r.tb.ok(err)
	if info := r.MustInfo(); snap.Seq != info.Seq {
		r.Fatalf("the snapshot is of seq %d, the store is at %d", snap.Seq, info.Seq)
	}
}

// restoreStep loses the views of the closed store, or has them replaced by a
// snapshot, and opens it again.
func (r *run) restoreStep() {
	snapshots, err := r.ListSnapshots(r.tb.Context())
	r.tb.ok(err)
	before := r.MustInfo()
	r.MustClose()
	path := filepath.Join(r.Options.Path, "views.db")
	switch r.pick("views", "restored", "restored", "removed", "emptied", "a page zeroed") {
	case "restored":
		r.restore(snapshots)
	case "removed":
		r.tb.ok(os.Remove(path))
	case "emptied":
		r.tb.ok(os.Truncate(path, 0))
	case "a page zeroed":
		r.zeroPage(path)
	}
	r.Reopen()
	r.sameAs(before)
}

func (r *run) restore(snapshots []metalog.Snapshot) {
	var order replay.SnapshotRestore
	if len(snapshots) > 0 && r.chance("a chosen one") {
		order.Seq = one(r, "snapshot", snapshots).Seq
	}
	_, err := replay.RestoreSnapshot(r.tb.Context(), r.Options.Path, order)
	r.refused(err, firstOf(len(snapshots) == 0, metalog.ErrNotFound))
}

// zeroPage loses one page of a file, used or not.
func (r *run) zeroPage(path string) {
	data, err := os.ReadFile(path)
	r.tb.ok(err)
	size := os.Getpagesize()
	page := int(r.number("page", int64(len(data)/size-1)))
	clear(data[page*size : (page+1)*size])
	r.tb.ok(os.WriteFile(path, data, 0o600))
}
