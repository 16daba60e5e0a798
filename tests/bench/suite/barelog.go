package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/tidwall/wal"
)

// bareLogSystem is tidwall/wal alone: groups of entries, each group with one sync,
// from one goroutine. It decides nothing and answers nobody, so it is how fast the
// write path could be. Groups and entries are as large as metalog's were, in the
// measurement before.
type bareLogSystem struct {
	system // nil: it does nothing else

	log   *wal.Log
	group int // entries
	entry []byte
	last  uint64
	batch wal.Batch
}

// bareLogCandidate writes as written tells when it is opened.
func bareLogCandidate(written *groupStats) candidate {
	return candidate{name: bareLog, open: func(_ context.Context, dir string, clients int) (system, error) {
		stats := *written
		if stats.records == 0 { // metalog does not run
			stats = groupStats{records: clients, groups: 1, bytes: clients * guessedBytes}
		}
		return openBareLog(dir, stats.perGroup(), stats.recordBytes())
	}}
}

const guessedBytes = 230 // of a record with one offset

func openBareLog(dir string, group, bytes int) (*bareLogSystem, error) {
	log, err := wal.Open(filepath.Join(dir, "wal"), &wal.Options{SegmentSize: 8 << 20, SegmentCacheSize: 2})
	if err != nil {
		return nil, err
	}
	last, err := log.LastIndex()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	entry := make([]byte, bytes)
	_, _ = rand.Read(entry) // never fails
	return &bareLogSystem{log: log, group: group, entry: entry, last: last}, nil
}

// append writes and syncs a group, and tells how many entries that were.
func (s *bareLogSystem) append(context.Context) (int, error) {
	for range s.group {
		s.last++
		s.batch.Write(s.last, s.entry)
	}
	return s.group, s.log.WriteBatch(&s.batch) // which clears it
}

func (s *bareLogSystem) load(context.Context, shape) error { return nil }

func (s *bareLogSystem) note(context.Context) (string, error) {
	return fmt.Sprintf("groups of %d entries, %d bytes each; latency is of a group", s.group, len(s.entry)), nil
}

func (s *bareLogSystem) Close(context.Context) error { return s.log.Close() }
