package replay

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
	"github.com/metalog/metalog/internal/eventlog"
)

// staging is a data directory in the making. All of it is made in a directory
// below, whose parts are moved to their places at the end, the log last: until
// then a store finds no log there, and the run can be repeated.
type staging struct {
	dir  string
	temp string
	lock *eventlog.DirLock
}

const stagingDir = "unfinished"

// newStaging takes a directory that is empty, not there, or left by a run that
// was interrupted. The caller closes it.
func newStaging(dir, holder string) (*staging, error) {
	temp := filepath.Join(dir, stagingDir)
	allowed := []string{lockName, stagingDir}
	if _, err := os.Stat(temp); err == nil {
		allowed = append(allowed, SnapshotsDir) // moved there before the interruption
	}
	if err := onlyEntries(dir, allowed...); err != nil {
		return nil, err
	}
	lock, err := eventlog.Lock(dir, holder)
	if err != nil {
		return nil, err
	}
	s := &staging{dir: dir, temp: temp, lock: lock}
	err = errors.Join(os.RemoveAll(temp), os.RemoveAll(filepath.Join(dir, SnapshotsDir)))
	if err == nil {
		err = durable.MkdirAll(s.path(LogDir))
	}
	if err != nil {
		return nil, errors.Join(events.Errorf(events.CodeUnavailable, "%s: %w", dir, err), s.close())
	}
	return s, nil
}

// Unfinished returns an error if a restore or a repair into dir has not come to
// its end: what is there must not be taken for an empty store.
func Unfinished(dir string) error {
	_, noTemp := os.Stat(filepath.Join(dir, stagingDir))
	_, noLog := os.Stat(filepath.Join(dir, LogDir))
	if noTemp != nil || noLog == nil {
		return nil
	}
	return events.Errorf(events.CodeUnavailable, "%s: a restore or repair into it is under way or was interrupted; run it again", dir)
}

// path returns where a part is made.
func (s *staging) path(part string) string { return filepath.Join(s.temp, part) }

// publish moves the parts to their places.
func (s *staging) publish() error {
	for _, part := range []string{SnapshotsDir, LogDir} {
		err := durable.Rename(s.path(part), filepath.Join(s.dir, part))
		if err != nil && !(part == SnapshotsDir && errors.Is(err, os.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// close removes what was not published, and gives the directory back.
func (s *staging) close() error {
	return errors.Join(os.RemoveAll(s.temp), s.lock.Unlock())
}

// outside refuses an output directory in the data directory that is read, which
// has to stay as it is.
func outside(dataDir, out string) error {
	inside, err := within(dataDir, out)
	if err == nil && inside {
		err = events.Errorf(events.CodeInvalid, "%s lies in the data directory %s, which must stay as it is; name a directory elsewhere", out, dataDir)
	}
	return err
}

// within reports whether path, which need not exist, is dir or lies in it, as
// symbolic links lead.
func within(dir, path string) (bool, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return false, err
	}
	for path, err = filepath.Abs(path); err == nil; path = filepath.Dir(path) {
		real, err := filepath.EvalSymlinks(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		rel, err := filepath.Rel(dir, real)
		return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)), err
	}
	return false, err
}
