package model

import (
	"maps"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (r *run) watermarkStep() {
	cmd := metalog.AdvanceWatermarks{Topic: r.topicName(), Partition: r.partitionNumber()}
	which := r.pick("which", "both", "high", "log start")
	if which != "log start" {
		cmd.High = ptr(r.number("high", 60))
	}
	if which != "high" {
		cmd.LogStart = ptr(r.number("log start", 60))
	}
	t := r.model.topics[cmd.Topic]
	p, before := t.at(cmd.Partition), t.has(cmd.Partition)
	if p == nil {
		r.doAt(cmd, before, 0, nil)
		return
	}
	var after error
	if p.assigned != 0 {
		cmd.LeaderEpoch, after = r.claim("leader epoch", p.LeaderEpoch, metalog.ErrFenced)
	}
	next := *p
	if after == nil {
		after = next.advance(cmd.High, cmd.LogStart)
	}
	if r.doAt(cmd, nil, p.revision(), after) {
		r.model.setMarks(t, p, next)
	}
}

// advance moves the marks, or returns why not.
func (p *partition) advance(high, start *int64) error {
	moved := false
	if high != nil {
		newEpoch := p.LeaderEpoch > p.highEpoch
		switch {
		case *high == p.HighWatermark && (!newEpoch || *high == 0):
		case *high < p.HighWatermark && !newEpoch, *high < p.LogStartOffset:
			return metalog.ErrOutOfRange
		default:
			p.HighWatermark, p.highEpoch, moved = *high, p.LeaderEpoch, true
		}
	}
	if start != nil {
		if *start < p.LogStartOffset || *start > p.HighWatermark {
			return metalog.ErrOutOfRange
		}
		moved = moved || *start != p.LogStartOffset
		p.LogStartOffset = *start
	}
	return firstOf(!moved, errUnchanged)
}

// setMarks moves a partition's marks, and drops the segments below.
func (m *model) setMarks(t *topic, p *partition, next partition) {
	*p = next
	p.marked = m.at.Seq
	maps.DeleteFunc(t.segments, func(_ string, s *events.Segment) bool {
		return s.Partition == p.PartitionRef.Partition && s.EndOffset < p.LogStartOffset
	})
}
