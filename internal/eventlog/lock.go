package eventlog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
)

// lockFile lies in the data directory. It is never removed: a lock on a removed
// file keeps nobody out.
const lockFile = "LOCK"

// DirLock is the right to write in a data directory. It ends with Unlock or with
// the process.
type DirLock struct {
	path string
	lock *flock.Flock
}

// Lock takes the data directory dir, making it if need be. It does not wait:
// when another process has it, the error is ErrUnavailable and names the holder.
// holder says who this is and how to reach it, in words; see [DirLock.SetHolder].
func Lock(dir, holder string) (*DirLock, error) {
	if err := durable.MkdirAll(dir); err != nil {
		return nil, events.Errorf(events.CodeUnavailable, "open %s: %w", dir, err)
	}
	path := filepath.Join(dir, lockFile)
	l := &DirLock{path: path, lock: flock.New(path)}
	switch locked, err := l.lock.TryLock(); {
	case err != nil:
		return nil, events.Errorf(events.CodeUnavailable, "open %s: %w", dir, err)
	case !locked:
		return nil, events.Errorf(events.CodeUnavailable, "open %s: held by %s; work through it with --server URL if it is a server, or wait until it is done", dir, holderOf(path))
	}
	if err := l.SetHolder(holder); err != nil {
		return nil, errors.Join(err, l.lock.Unlock())
	}
	return l, nil
}

// SetHolder changes what others are told, as when a server has begun to listen
// and its URL is known.
func (l *DirLock) SetHolder(holder string) error {
	// In place, since the lock is on this very file. Who reads it in this
	// moment gets half a message, nothing worse.
	if err := os.WriteFile(l.path, []byte(holder+"\n"), 0o600); err != nil {
		return events.Errorf(events.CodeUnavailable, "write %s: %w", l.path, err)
	}
	return nil
}

// Unlock lets others in. A second Unlock does nothing.
func (l *DirLock) Unlock() error {
	if !l.lock.Locked() {
		return nil
	}
	return errors.Join(os.Truncate(l.path, 0), l.lock.Unlock())
}

// holderOf gives what the holder of a lock says of itself.
func holderOf(path string) string {
	text, err := os.ReadFile(path)
	if holder := strings.TrimSpace(string(text)); err == nil && holder != "" {
		return holder
	}
	return "another process"
}
