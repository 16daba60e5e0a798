package eventlog

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/metalog/metalog/events"
)

// Files in the log directory beside the segments. Their names are shorter than
// a segment's, so that wal leaves them alone.
const (
	startFile = "START" // where the log starts; missing: at seq 1
	cleanFile = "CLEAN" // the head at the last clean close; missing after any write
	cutDir    = "cut"   // what opening took out of the log
)

// Start is where a log starts, once its first records went to the archive.
type Start struct {
	First   uint64      `json:"first"`   // seq of the first record
	Prev    events.Hash `json:"prev"`    // hash of the frame before it
	Archive string      `json:"archive"` // the archive manifest that has what was before
}

// ReadStart gives the start of the log in dir: seq 1 unless records were dropped.
func ReadStart(dir string) (Start, error) {
	start := Start{First: 1}
	found, err := readNote(filepath.Join(dir, startFile), &start)
	if err != nil || !found {
		return start, err
	}
	if start.First < 2 {
		return Start{}, events.Errorf(events.CodeCorrupt, "%s tells of a log that starts at seq %d; restore the file from a backup", filepath.Join(dir, startFile), start.First)
	}
	return start, nil
}

// Before is the head of a log of which all records were dropped.
func (s Start) Before() events.Head { return events.Head{Seq: s.First - 1, Hash: s.Prev} }

// readClean gives the head that the last clean close noted, or nil.
func readClean(dir string) (*events.Head, error) {
	var head events.Head
	found, err := readNote(filepath.Join(dir, cleanFile), &head)
	if err != nil || !found {
		return nil, err
	}
	return &head, nil
}

// readNote reads a JSON file. Notes are written whole or not at all, so one that
// can't be read was damaged later.
func readNote(path string, v any) (found bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, events.Errorf(events.CodeCorrupt, "%s is damaged (%w); restore the file from a backup", path, err)
	}
	return true, nil
}

func encodeNote(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	return append(data, '\n'), err
}
