package archive

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/metalog/metalog/events"
)

// Base is a copy of the views, compressed: what reading the states behind it begins
// with, once the records before it are gone.
type Base struct {
	Seq       uint64          `json:"seq"`  // the last record in it
	Hash      events.Hash     `json:"hash"` // of that record's frame
	File      string          `json:"file"`
	FileBytes int64           `json:"file_bytes"` // compressed
	SizeBytes int64           `json:"size_bytes"` // of the views' file
	SHA256    events.Hash     `json:"sha256"`     // of the views' file
	Snapshot  json.RawMessage `json:"snapshot"`   // the manifest of the snapshot that it was
}

const baseSuffix = ".db.zst"

func isBase(file string) bool {
	return strings.HasPrefix(file, basesDir+"/") && strings.HasSuffix(file, baseSuffix)
}

// PutBase stores a copy of the views, which write writes, and reads it back. It
// counts once Prune names it. Of b, File and FileBytes are filled in.
func (a *Archive) PutBase(ctx context.Context, b Base, write func(io.Writer) error) (*Base, error) {
	b.File = fmt.Sprintf("%s/%020d-%s%s", basesDir, b.Seq, hashPrefix(b.SHA256), baseSuffix)
	err := a.place.Put(ctx, b.File, func(w io.Writer) error {
		counted := &counter{w: w}
		err := compress(counted, write)
		b.FileBytes = counted.n
		return err
	})
	if err != nil {
		return nil, err
	}
	return &b, a.CopyBase(ctx, &b, io.Discard)
}

func compress(w io.Writer, write func(io.Writer) error) error {
	e, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	return errors.Join(write(e), e.Close())
}

// CopyBase writes the views' file that a base is to w. It is ErrCorrupt when it is
// not what was stored; w has got some of it by then.
func (a *Archive) CopyBase(ctx context.Context, b *Base, w io.Writer) error {
	file, err := a.place.Get(ctx, b.File, 0, -1)
	if notThere(err) {
		return a.baseDamaged(b, "it is missing")
	}
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	source, target := &failing{r: file}, &failing{w: w}
	d, err := zstd.NewReader(source, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer d.Close()
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(target, sum), contextReader{ctx, d})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case source.err != nil:
		return readFailed(a.place, b.File, source.err)
	case target.err != nil:
		return target.err
	case err != nil:
		return a.baseDamaged(b, err.Error())
	case size != b.SizeBytes || events.Hash(sum.Sum(nil)) != b.SHA256:
		return a.baseDamaged(b, fmt.Sprintf("it has %d bytes with SHA-256 %x, and should have %d with %s", size, sum.Sum(nil), b.SizeBytes, b.SHA256))
	}
	return nil
}

// failing remembers what went wrong with one end of a copy: it is not the fault of
// what was copied.
type failing struct {
	r   io.Reader
	w   io.Writer
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

func (f *failing) Write(p []byte) (n int, err error) {
	n, f.err = f.w.Write(p)
	return n, f.err
}

func (a *Archive) baseDamaged(b *Base, reason string) error {
	return events.Errorf(events.CodeCorrupt, "archive %s, file %s: the views of seq %d are damaged: %s; restore the file from a copy of the archive", a, b.File, b.Seq, reason)
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// contextReader fails once ctx is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
