package archive

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// memory is a place for tests that look at many of them.
type memory map[string][]byte

func (m memory) String() string { return "/memory" }

func (m memory) Put(_ context.Context, name string, write func(io.Writer) error) error {
	var b bytes.Buffer
	err := write(&b)
	if err == nil {
		m[name] = b.Bytes()
	}
	return err
}

func (m memory) Get(_ context.Context, name string, offset, n int64) (io.ReadCloser, error) {
	data, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "get", Path: name, Err: fs.ErrNotExist}
	}
	data = data[min(offset, int64(len(data))):]
	if n >= 0 {
		data = data[:min(n, int64(len(data)))]
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (m memory) List(_ context.Context, dir string) ([]Item, error) {
	var items []Item
	for name, data := range m {
		if dir == "" || strings.HasPrefix(name, dir+"/") {
			items = append(items, Item{name, int64(len(data))})
		}
	}
	return items, nil
}

func (m memory) Remove(_ context.Context, names ...string) error {
	for _, name := range names {
		delete(m, name)
	}
	return nil
}

func (m memory) Sweep(context.Context, func(string) bool) error { return nil }

// flipped is data with a bit flipped in byte i.
func flipped(data []byte, i int) []byte {
	data = slices.Clone(data)
	data[i] ^= 1 << (i % 8)
	return data
}

// forgetful is a place that changes a bit of some files.
type forgetful struct {
	memory
	suffix string
}

func (f forgetful) Put(ctx context.Context, name string, write func(io.Writer) error) error {
	err := f.memory.Put(ctx, name, write)
	if data := f.memory[name]; strings.HasPrefix(name, segmentsDir) && strings.HasSuffix(name, f.suffix) {
		f.memory[name] = flipped(data, len(data)/2)
	}
	return err
}
