package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// position is the place of an event in the log.
type position struct {
	Seq   uint64 `json:"seq"`
	Index int    `json:"index"`
}

func (p position) before(q position) bool {
	return p.Seq < q.Seq || p.Seq == q.Seq && p.Index < q.Index
}

func (p position) String() string { return fmt.Sprintf("%d.%d", p.Seq, p.Index) }

// checkpoint is what has to be known to go on.
type checkpoint struct {
	LogID string   `json:"log_id"` // empty: nothing was read yet
	Epoch uint64   `json:"epoch"`
	Next  position `json:"next"` // the next event wanted
	Last  struct { // the last record seen; seq 0: none
		Seq  uint64 `json:"seq"`
		Hash string `json:"hash"`
	} `json:"last"`
}

// state is the checkpoint and what was made of the events before it. They are in
// one file, so that they change together or not at all.
type state struct {
	path       string
	Checkpoint checkpoint     `json:"checkpoint"`
	Events     int            `json:"events"`
	Types      map[string]int `json:"types"`
	Digest     string         `json:"digest"` // of all events in their order
}

func loadState(path string) (*state, error) {
	s := &state{path: path, Checkpoint: checkpoint{Next: position{Seq: 1}}, Types: map[string]int{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, s)
	}
	if err != nil {
		return nil, fmt.Errorf("state %s: %w; without the file, counting begins anew", path, err)
	}
	return s, nil
}

// add counts an event.
func (s *state) add(e event) {
	s.Events++
	s.Types[e.Type]++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d.%d %s %s", s.Digest, e.Seq, e.Index, e.Type, e.Entity))
	s.Digest = hex.EncodeToString(sum[:])
}

// save replaces the file. After a crash at any point there is the old one or the
// new one.
func (s *state) save() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	temp := s.path + ".tmp"
	if err := writeSynced(temp, data); err != nil {
		return err
	}
	if err := os.Rename(temp, s.path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func writeSynced(path string, data []byte) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}
