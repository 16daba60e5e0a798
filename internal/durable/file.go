package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// TempSuffix ends the name of a file that [Replace] has not finished. Whoever
// owns a directory may remove such files when nobody writes there.
const TempSuffix = ".tmp"

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// WriteFile makes data the whole content of the file at path, as [Replace] does.
func WriteFile(path string, data []byte) error {
	return Replace(path, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(data))
		return err
	})
}

// Replace makes what write writes the whole content of the file at path. On an
// error the old content, if any, is still there; only when the error came from
// the last step, the sync of the directory, may it be the new one.
func Replace(path string, write func(io.Writer) error) error {
	temp := path + TempSuffix
	if err := writeTemp(temp, write); err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	return Rename(temp, path)
}

func writeTemp(temp string, write func(io.Writer) error) error {
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", temp, err), f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// Rename moves a file, replacing the one at newPath if there is one, and syncs
// the directories of both names.
func Rename(oldPath, newPath string) error {
	if err := os.Rename(oldPath, newPath); err != nil {
		return err
	}
	return syncDirsOf(oldPath, newPath)
}

// Remove removes files in the order given and syncs their directories. A file
// that is not there is as good as removed.
func Remove(paths ...string) error {
	for _, path := range paths {
		if err := removeIfThere(path); err != nil {
			return err
		}
	}
	return syncDirsOf(paths...)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// MkdirAll makes dir and what is missing above it, and syncs the parent of each
// directory that it made.
func MkdirAll(dir string) error {
	switch info, err := os.Stat(dir); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("a file of this name is in the way")}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if err := MkdirAll(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(parent)
}

// SyncDir makes the names in dir durable: what was created, renamed or removed
// there before the call.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return errors.Join(err, d.Close())
	}
	return d.Close()
}

// syncDirsOf syncs each directory that holds one of paths, once.
func syncDirsOf(paths ...string) error {
	synced := make(map[string]bool)
	for _, path := range paths {
		dir := filepath.Dir(path)
		if synced[dir] {
			continue
		}
		if err := SyncDir(dir); err != nil {
			return err
		}
		synced[dir] = true
	}
	return nil
}
