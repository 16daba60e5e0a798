package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// metalogSystem does what workloads ask for with metalog's own commands, in process
// or over the wire.
type metalogSystem struct {
	metalog.MetadataStore // the store or a client
	parts                 *parts
	opened                uint64      // the log's head when it was opened
	written               *groupStats // what note finds of the log goes there; nil: nowhere
}

func metalogCandidate(name string, o partsOptions, written *groupStats) candidate {
	return candidate{name: name, open: func(ctx context.Context, dir string, _ int) (system, error) {
		p := &parts{options: o, dir: dir}
		if err := p.start(ctx); err != nil {
			return nil, errors.Join(err, p.stop(ctx))
		}
		s := &metalogSystem{MetadataStore: p.store, parts: p, opened: p.store.Log().Head().Seq, written: written}
		if o.wire {
			s.MetadataStore = p.client
		}
		return s, nil
	}}
}

// load creates the topic and the groups, and commits their offsets. It does that in
// process, from many goroutines, so that groups are large.
func (s *metalogSystem) load(ctx context.Context, rows shape) error {
	create := metalog.CreateTopic{Name: offsetsTopic, Partitions: partitions, ReplicationFactor: 1}
	if _, err := s.parts.store.CreateTopic(ctx, create); err != nil {
		return err
	}
	direct := &metalogSystem{MetadataStore: s.parts.store, parts: s.parts}
	return eachOf(rows.groups, func(group int) error {
		if _, err := s.parts.store.CreateGroup(ctx, metalog.CreateGroup{ID: groupID(group)}); err != nil {
			return err
		}
		return direct.commit(ctx, group, 0, rows.loaded(), 1)
	})
}

// eachOf calls do with 0 to n-1, from many goroutines at once, and returns the first
// error.
func eachOf(n int, do func(int) error) error {
	const goroutines = 512
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make(chan error, goroutines)
	for range goroutines {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}

func (s *metalogSystem) commit(ctx context.Context, group, partition, count int, offset int64) error {
	cmd := metalog.CommitOffsets{Group: groupID(group), Offsets: make([]metalog.OffsetCommit, count)}
	for i := range cmd.Offsets {
		cmd.Offsets[i] = metalog.OffsetCommit{
			Topic: offsetsTopic, Partition: int32((partition + i) % partitions), Offset: offset,
			LeaderEpoch: new(int32(leaderEpoch)), Metadata: offsetDetails,
		}
	}
	_, err := s.CommitOffsets(ctx, cmd)
	return err
}

func (s *metalogSystem) createTopic(ctx context.Context, name string, partitions int) error {
	_, err := s.CreateTopic(ctx, metalog.CreateTopic{
		Name: name, Partitions: int32(partitions), ReplicationFactor: 1, Config: events.Config{configKey: configValue},
	})
	return err
}

func segmentInfo(partition, number int) metalog.SegmentInfo {
	return metalog.SegmentInfo{
		ID: segmentID(partition, number), StartOffset: int64(number), EndOffset: int64(number),
		SizeBytes: segmentBytes, Path: segmentPath(partition, number),
	}
}

func (s *metalogSystem) addSegments(ctx context.Context, topic string, first, count int) error {
	return eachOf(count, func(i int) error {
		return s.rollSegment(ctx, topic, 0, first+i, -1)
	})
}

func (s *metalogSystem) rollSegment(ctx context.Context, topic string, partition, added, removed int) error {
	info := segmentInfo(partition, added)
	if removed < 0 {
		_, err := s.AddSegment(ctx, metalog.AddSegment{Topic: topic, Partition: int32(partition), SegmentInfo: info})
		return err
	}
	_, err := s.CompactSegments(ctx, metalog.CompactSegments{
		Topic: topic, Partition: int32(partition), Removed: []string{segmentID(partition, removed)}, Added: []metalog.SegmentInfo{info},
	})
	return err
}

func (s *metalogSystem) deleteTopic(ctx context.Context, name string) error {
	if _, err := s.DeleteTopic(ctx, metalog.DeleteTopic{Name: name}); err != nil {
		return err
	}
	if _, err := metalog.Collect(s.ListSegments(ctx, name, metalog.AllPartitions)); !errors.Is(err, metalog.ErrNotFound) {
		return fmt.Errorf("the segments of %s after its deletion: %w", name, err)
	}
	return nil
}

// purgePoll is how often a purge is looked at: what it takes is told to a millisecond.
const purgePoll = time.Millisecond

func (s *metalogSystem) awaitPurged(ctx context.Context, _ string) error {
	for {
		info, err := s.Info(ctx)
		if err != nil {
			return err
		}
		if info.Entities["cascades"] == 0 {
			return nil
		}
		select {
		case <-time.After(purgePoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *metalogSystem) read(ctx context.Context, group, partition int) error {
	_, err := s.GetOffset(ctx, groupID(group), offsetsTopic, int32(partition))
	return err
}

func (s *metalogSystem) list(ctx context.Context, group int) (int, error) {
	listed := 0
	for _, err := range s.ListOffsets(ctx, groupID(group)) {
		if err != nil {
			return listed, err
		}
		listed++
	}
	return listed, nil
}

func (s *metalogSystem) Close(ctx context.Context) error { return s.parts.stop(ctx) }
