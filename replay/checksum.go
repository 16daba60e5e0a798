package replay

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"os"

	"github.com/metalog/metalog/events"
)

// contents tells what a file must hold, to the byte.
type contents struct {
	size int64
	sum  events.Hash // SHA-256
}

// copyChecked writes the file at path to w. It is ErrCorrupt when the file is
// missing or holds something else than it should; w has got some of it by then.
func copyChecked(ctx context.Context, w io.Writer, path string, want contents) error {
	got, err := copySummed(ctx, w, path)
	if os.IsNotExist(err) {
		return events.Errorf(events.CodeCorrupt, "%s is missing", path)
	}
	if err != nil {
		return err
	}
	if got != want {
		return events.Errorf(events.CodeCorrupt, "%s has %d bytes with SHA-256 %s, and should have %d with %s", path, got.size, got.sum, want.size, want.sum)
	}
	return nil
}

// copySummed writes the file at path to w, and tells what it holds.
func copySummed(ctx context.Context, w io.Writer, path string) (contents, error) {
	file, err := os.Open(path)
	if err != nil {
		return contents{}, err
	}
	defer file.Close() //nolint:errcheck // only read
	sum := newSumWriter(w)
	_, err = io.Copy(sum, &contextReader{ctx, file})
	return sum.contents(), err
}

// sumWriter passes on what is written to it, and sums it up.
type sumWriter struct {
	w    io.Writer
	hash hash.Hash
	size int64
}

func newSumWriter(w io.Writer) *sumWriter { return &sumWriter{w: w, hash: sha256.New()} }

func (s *sumWriter) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.hash.Write(p[:n]) // never fails
	s.size += int64(n)
	return n, err
}

func (s *sumWriter) contents() contents {
	return contents{s.size, events.Hash(s.hash.Sum(nil))}
}

// contextReader fails once ctx is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
