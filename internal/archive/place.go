package archive

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/metalog/metalog/events"
)

// Place is where an archive's files are. Its methods are safe for concurrent use.
// Errors have a code and name the place; a file that is not there is
// [fs.ErrNotExist].
type Place interface {
	// Put makes what write writes the whole content of a file. It is durable on
	// return; an error or a crash leaves the old content or the new one, never a
	// part.
	Put(ctx context.Context, name string, write func(io.Writer) error) error
	// Get reads n bytes of a file from an offset on, or all that follow it when n is
	// negative. The caller closes what it gets.
	Get(ctx context.Context, name string, offset, n int64) (io.ReadCloser, error)
	// List returns the files below a directory of the place, and those in it; the
	// empty name is all of the place.
	List(ctx context.Context, dir string) ([]Item, error)
	// Remove removes files, in the order given. One that is not there is as good as
	// removed.
	Remove(ctx context.Context, names ...string) error
	// Sweep removes what a crash left of writes that were not finished, of the files
	// whose names ours tells. Nobody may be writing those.
	Sweep(ctx context.Context, ours func(name string) bool) error
	// String is the location that OpenPlace takes.
	String() string
}

// Item is a file in a place.
type Item struct {
	Name  string
	Bytes int64
}

// OpenPlace returns the place of a location: a directory, or
//
//	s3://BUCKET/PREFIX?endpoint=URL&region=NAME
//
// where prefix, endpoint (that of Amazon unless given) and region may be left out.
// Credentials come from the environment, never from the location. Nothing is read
// or made yet.
func OpenPlace(location string) (Place, error) {
	if strings.HasPrefix(location, "s3:") {
		return newBucket(location)
	}
	if scheme, _, found := strings.Cut(location, "://"); found {
		return nil, events.Errorf(events.CodeInvalid, "archive %q: %s is no kind of place; name a directory, or s3://BUCKET/PREFIX?endpoint=URL&region=NAME", redacted(location), scheme)
	}
	if location == "" {
		return nil, events.Errorf(events.CodeInvalid, "no place was named for the archive; name a directory, or s3://BUCKET/PREFIX?endpoint=URL&region=NAME")
	}
	dir, err := filepath.Abs(location)
	if err != nil {
		return nil, events.Errorf(events.CodeUnavailable, "archive %q: %w", location, err)
	}
	return directory{dir}, nil
}

// redacted is a location without what may be a password.
func redacted(location string) string {
	if u, err := url.Parse(location); err == nil {
		return u.Redacted()
	}
	return "(not readable)"
}

func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// read reads n bytes of a file, or all that follow when n is negative. Fewer than n
// are ErrCorrupt.
func read(ctx context.Context, p Place, name string, offset, n int64) ([]byte, error) {
	r, err := p.Get(ctx, name, offset, n)
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // only read
	if n < 0 {
		data, err := io.ReadAll(r)
		return data, readFailed(p, name, err)
	}
	data := make([]byte, n)
	_, err = io.ReadFull(r, data)
	return data, readFailed(p, name, err)
}

// readFailed gives an error of reading a code, and names the file.
func readFailed(p Place, name string, err error) error {
	var coded *events.Error
	switch {
	case err == nil, errors.As(err, &coded), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return events.Errorf(events.CodeCorrupt, "archive %s: %s ends too early", p, name)
	}
	return events.Errorf(events.CodeUnavailable, "archive %s: read %s: %w", p, name, err)
}

// writing returns a function that writes data, for Put.
func writing(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}
