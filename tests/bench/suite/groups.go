package main

import (
	"context"
	"fmt"
)

// groupStats is how metalog's log was written in its last measurement: that is what
// the bare log is given to write.
type groupStats struct {
	records, groups, bytes int
}

// perGroup is how many records were synced together, rounded.
func (g groupStats) perGroup() int { return max(1, (g.records+g.groups/2)/max(1, g.groups)) }

// recordBytes is the size of a record's frame.
func (g groupStats) recordBytes() int { return g.bytes / max(1, g.records) }

func (g groupStats) String() string {
	return fmt.Sprintf("groups of %.1f records, %d bytes each", float64(g.records)/float64(max(1, g.groups)), g.recordBytes())
}

// groupsSince counts what was written after a seq. Each frame tells the first seq of
// the group that it was synced with.
func (p *parts) groupsSince(ctx context.Context, seq uint64) (stats groupStats, err error) {
	var group uint64
	for frame, err := range p.store.Log().Frames(ctx, seq+1) {
		if err != nil {
			return stats, err
		}
		if frame.Group != group {
			group = frame.Group
			stats.groups++
		}
		stats.records++
		stats.bytes += len(frame.Bytes)
	}
	return stats, nil
}

// note tells what a measurement left: how the log was written, or how far
// publishing is behind.
func (s *metalogSystem) note(ctx context.Context) (string, error) {
	if s.parts.publisher != nil {
		return s.parts.lag(ctx)
	}
	stats, err := s.parts.groupsSince(ctx, s.opened)
	if err != nil || stats.records == 0 {
		return "", err
	}
	if s.written != nil {
		*s.written = stats
	}
	return stats.String(), nil
}
