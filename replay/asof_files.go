package replay

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/metalog/metalog/views"
)

// load reads what files an earlier run left, and removes what is of no use: files
// without a manifest, manifests without a file, views of another schema version.
func (c *AsOf) load() error {
	list, err := c.kept.List()
	if err != nil {
		return err
	}
	modified := map[uint64]time.Time{} // when it was used last, or made
	list = slices.DeleteFunc(list, func(snap Snapshot) bool {
		manifest, err := os.Stat(c.kept.path(snap.Seq, manifestSuffix))
		file, fileErr := os.Stat(c.kept.path(snap.Seq, copySuffix))
		if err != nil || fileErr != nil || file.Size() != snap.SizeBytes || snap.SchemaVersion != views.SchemaVersion {
			return true
		}
		modified[snap.Seq] = manifest.ModTime()
		return false
	})
	slices.SortFunc(list, func(a, b Snapshot) int { return modified[a.Seq].Compare(modified[b.Seq]) })
	known := map[string]bool{}
	for _, snap := range list {
		c.insert(&asOfFile{snap: snap})
		known[c.kept.path(snap.Seq, manifestSuffix)], known[c.kept.path(snap.Seq, copySuffix)] = true, true
	}
	c.settle()
	return c.removeOthers(known)
}

// removeOthers removes what is in the directory and is not known.
func (c *AsOf) removeOthers(known map[string]bool) error {
	entries, err := os.ReadDir(c.opts.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(c.opts.Dir, e.Name())
		if known[path] {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			c.opts.Logger.Warn("file of views can't be removed", "err", err)
		}
	}
	return nil
}

// The methods below are called with mu held, or before anybody else knows c.

// insert adds a file that nobody uses yet.
func (c *AsOf) insert(f *asOfFile) {
	c.uses++
	f.used = c.uses
	c.files[f.snap.Seq] = f
	c.bytes += f.snap.SizeBytes
}

// add adds a file that its maker uses.
func (c *AsOf) add(f *asOfFile) {
	c.insert(f)
	f.users = 1
	c.settle()
}

func (c *AsOf) use(f *asOfFile) {
	c.uses++
	f.used = c.uses
	f.users++
}

func (c *AsOf) release(f *asOfFile) {
	f.users--
	switch {
	case f.users > 0:
	case c.closed:
		c.complain(f, c.shut(f))
	default:
		c.settle()
	}
}

// settle closes and removes what is over the limits, of what nobody uses: the one
// that was used longest ago first.
func (c *AsOf) settle() {
	for c.bytes > c.opts.MaxBytes || len(c.files) > asOfFiles || c.bytes > 0 && c.opts.Room(0) != nil {
		f := c.oldest(func(*asOfFile) bool { return true })
		if f == nil {
			break
		}
		c.drop(f)
	}
	isOpen := func(f *asOfFile) bool { return f.db != nil }
	for c.openFiles() > asOfOpen {
		f := c.oldest(isOpen)
		if f == nil {
			break
		}
		c.complain(f, c.shut(f))
	}
}

func (c *AsOf) openFiles() (n int) {
	for _, f := range c.files {
		if f.db != nil {
			n++
		}
	}
	return n
}

// oldest returns the file that was used longest ago of those that nobody uses and
// that fit, or nil.
func (c *AsOf) oldest(fits func(*asOfFile) bool) (oldest *asOfFile) {
	for _, f := range c.files {
		if f.users == 0 && fits(f) && (oldest == nil || f.used < oldest.used) {
			oldest = f
		}
	}
	return oldest
}

// drop forgets and removes a file, the manifest first: without it the rest is
// waste.
func (c *AsOf) drop(f *asOfFile) {
	delete(c.files, f.snap.Seq)
	c.bytes -= f.snap.SizeBytes
	c.complain(f, errors.Join(
		c.shut(f),
		os.Remove(c.kept.path(f.snap.Seq, manifestSuffix)),
		os.Remove(c.kept.path(f.snap.Seq, copySuffix)),
	))
}

// shut closes a file if it is open.
func (c *AsOf) shut(f *asOfFile) error {
	if f.db == nil {
		return nil
	}
	db := f.db
	f.db = nil
	return db.Close()
}

// complain logs what could not be closed or removed: no answer depends on it.
func (c *AsOf) complain(f *asOfFile, err error) {
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.opts.Logger.Warn("file of views", "seq", f.snap.Seq, "err", err)
	}
}
