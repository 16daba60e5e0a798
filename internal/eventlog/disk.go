package eventlog

import (
	"errors"
	"io"
	"os"

	"github.com/tidwall/wal"
	"golang.org/x/sys/unix"

	"github.com/metalog/metalog/internal/durable"
)

const tempSuffix = durable.TempSuffix

// appender is the part of wal.Log that is used: it appends. Reading goes through
// scanner, truncation through DropBefore.
type appender interface {
	WriteBatch(*wal.Batch) error
	LastIndex() (uint64, error)
	Close() error
}

// disk is everything that writes, so that tests can make it fail. Its methods
// are durable on return, as in package durable.
type disk interface {
	openWAL(dir string, o *wal.Options) (appender, error)
	replace(path string, write func(io.Writer) error) error
	rename(oldPath, newPath string) error
	remove(paths ...string) error
	mkdirAll(dir string) error
	syncDir(dir string) error
	size(path string) (int64, error)
	fill(path string, from, to int64) error // with zeros; durable with the next sync of the file
	truncate(path string, size int64) error
	free(dir string) (bytes uint64, err error)
}

type osDisk struct{}

func (osDisk) openWAL(dir string, o *wal.Options) (appender, error) { return wal.Open(dir, o) }

func (osDisk) replace(path string, write func(io.Writer) error) error {
	return durable.Replace(path, write)
}

func (osDisk) rename(oldPath, newPath string) error { return durable.Rename(oldPath, newPath) }
func (osDisk) remove(paths ...string) error         { return durable.Remove(paths...) }
func (osDisk) mkdirAll(dir string) error            { return durable.MkdirAll(dir) }
func (osDisk) syncDir(dir string) error             { return durable.SyncDir(dir) }

func (osDisk) size(path string) (int64, error) {
	file, err := openToRead(path)
	if err != nil {
		return 0, err
	}
	defer file.Close() //nolint:errcheck // only read
	return file.Seek(0, io.SeekEnd)
}

func (osDisk) fill(path string, from, to int64) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for from < to && err == nil {
		var n int
		n, err = file.WriteAt(zeros[:min(int64(len(zeros)), to-from)], from)
		from += int64(n)
	}
	return errors.Join(err, file.Close())
}

var zeros [minAhead]byte

func (osDisk) truncate(path string, size int64) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err = file.Truncate(size); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// free is what a process without privileges may still write.
func (osDisk) free(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil //nolint:unconvert // an int64 here, other widths elsewhere
}

// writing gives a function that writes data, for disk.replace.
func writing(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}
