package archive

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
)

// directory is a place in a file system. Its files can be read by the owner only.
type directory struct{ dir string }

func (d directory) String() string { return d.dir }

func (d directory) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

func (d directory) failed(what, name string, err error) error {
	if err == nil || notThere(err) {
		return err
	}
	return events.Errorf(events.CodeUnavailable, "archive %s: %s %s: %w", d, what, name, err)
}

func (d directory) Put(_ context.Context, name string, write func(io.Writer) error) error {
	path := d.path(name)
	err := durable.MkdirAll(filepath.Dir(path))
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "archive %s: its directory can't be made: %w; name a place that can be written", d, err)
	}
	err = durable.Replace(path, write)
	if errors.Is(err, events.ErrCorrupt) {
		return err // of what was to be written
	}
	return d.failed("write", name, err)
}

func (d directory) Get(_ context.Context, name string, offset, n int64) (io.ReadCloser, error) {
	file, err := os.Open(d.path(name))
	if err != nil {
		return nil, d.failed("read", name, err)
	}
	if offset > 0 {
		if _, err := file.Seek(offset, io.SeekStart); err != nil {
			return nil, errors.Join(d.failed("read", name, err), file.Close())
		}
	}
	if n < 0 {
		return file, nil
	}
	return limited{io.LimitReader(file, n), file}, nil
}

// limited is a reader of a part of a file.
type limited struct {
	io.Reader
	io.Closer
}

func (d directory) List(_ context.Context, dir string) ([]Item, error) {
	var items []Item
	err := filepath.WalkDir(d.path(dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(d.dir, path)
		items = append(items, Item{filepath.ToSlash(name), info.Size()})
		return err
	})
	if notThere(err) {
		return nil, nil
	}
	return items, d.failed("list", dir, err)
}

func (d directory) Remove(_ context.Context, names ...string) error {
	for _, name := range names {
		err := durable.Remove(d.path(name))
		if err != nil && !notThere(err) {
			return d.failed("remove", name, err)
		}
	}
	return nil
}

func (d directory) Sweep(ctx context.Context, ours func(name string) bool) error {
	items, err := d.List(ctx, "")
	if err != nil {
		return err
	}
	for _, item := range items {
		if name, unfinished := strings.CutSuffix(item.Name, durable.TempSuffix); unfinished && ours(name) {
			err = errors.Join(err, d.Remove(ctx, item.Name))
		}
	}
	return err
}
