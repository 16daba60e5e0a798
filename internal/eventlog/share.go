package eventlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/metalog/metalog/events"
)

// Share keeps others from writing in the data directory dir until unlock is
// called; any number may share it. It writes nothing, so that dir may be a copy
// on a disk that can't be written. When somebody has it locked to write, unlock
// is nil and holder says who.
func Share(dir string) (unlock func() error, holder string, err error) {
	path := filepath.Join(dir, lockFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, "", nil // a copy: no store was ever opened here
	}
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	switch shared, err := l.TryRLock(); {
	case err != nil:
		return nil, "", events.Errorf(events.CodeUnavailable, "read %s: %w", dir, err)
	case !shared:
		return nil, holderOf(path), l.Close()
	}
	return l.Close, "", nil
}
