package nats

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// keptTopic is never deleted; its name and the groups' have to be escaped in
// subjects.
const (
	keptTopic  = "kept.topic"
	partitions = 20
)

func groupID(i int) string { return fmt.Sprintf("group %d.é", i) }

const groups = 4

// newStore opens a store with what the load works on.
func newStore(t *testing.T, change ...func(*metalog.Options)) *storetest.Store {
	t.Helper()
	store := storetest.Open(t, change...)
	execute(t, store, metalog.CreateTopic{Name: keptTopic, Partitions: partitions, ReplicationFactor: 1})
	for i := range groups {
		execute(t, store, metalog.CreateGroup{ID: groupID(i)})
	}
	return store
}

func execute(t *testing.T, store *storetest.Store, cmd metalog.Command) {
	t.Helper()
	if _, err := store.Execute(t.Context(), cmd, metalog.CommandOptions{Actor: "test"}); err != nil {
		t.Fatalf("%s: %v", cmd.Op(), err)
	}
}

// load gives commands from several goroutines.
type load struct {
	store *storetest.Store
	seed  uint64
	given uint64 // commands so far
}

const loadWorkers = 8

// run gives n commands and returns.
func (l *load) run(t *testing.T, n int) { l.runOf(t, n, loadCommand) }

// runOf gives n commands of a kind and returns.
func (l *load) runOf(t *testing.T, n int, next func(*rand.Rand) metalog.Command) {
	var workers sync.WaitGroup
	for w := range loadWorkers {
		r := rand.New(rand.NewPCG(l.seed, l.given+uint64(w)))
		workers.Go(func() {
			for i := w; i < n; i += loadWorkers {
				l.give(t, next(r))
			}
		})
	}
	workers.Wait()
	l.given += uint64(n)
}

// during gives commands until f returns, but not without end, and then n more.
func (l *load) during(t *testing.T, n int, f func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for range quickOr(60, 1000) {
			l.run(t, loadWorkers)
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	f()
	close(done)
	<-ended
	l.run(t, n)
}

// give gives a command, which the store may refuse: the load's commands meet
// each other.
func (l *load) give(t *testing.T, cmd metalog.Command) {
	_, err := l.store.Execute(t.Context(), cmd, metalog.CommandOptions{Actor: "load é"})
	if errors.Is(err, metalog.ErrUnavailable) || errors.Is(err, metalog.ErrOutcomeUnknown) || errors.Is(err, metalog.ErrCorrupt) {
		t.Errorf("%s: %v", cmd.Op(), err)
	}
}

func loadCommand(r *rand.Rand) metalog.Command {
	topic := fmt.Sprintf("topic.%d", r.IntN(4))
	switch n := r.IntN(20); {
	case n < 2:
		return metalog.CreateTopic{Name: topic, Partitions: partitions, ReplicationFactor: 1}
	case n < 3:
		return metalog.DeleteTopic{Name: topic}
	case n < 6:
		return addSegment(keptTopic, r.Int32N(partitions), fmt.Sprint(r.Uint64()))
	case n < 8:
		return addSegment(topic, r.Int32N(partitions), fmt.Sprint(r.Uint64()))
	case n < 9:
		return metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindCluster}, Config: events.Config{"k": fmt.Sprint(r.Uint64())}}
	case n < 14:
		return commitOffsets(r, topic)
	}
	return commitOffsets(r, keptTopic)
}

func addSegment(topic string, partition int32, id string) metalog.AddSegment {
	return metalog.AddSegment{Topic: topic, Partition: partition, SegmentInfo: metalog.SegmentInfo{ID: id, EndOffset: 99}}
}

func keptCommit(r *rand.Rand) metalog.Command { return commitOffsets(r, keptTopic) }

func commitOffsets(r *rand.Rand, topic string) metalog.CommitOffsets {
	cmd := metalog.CommitOffsets{Group: groupID(r.IntN(groups))}
	for p := range 1 + r.Int32N(partitions) {
		cmd.Offsets = append(cmd.Offsets, metalog.OffsetCommit{Topic: topic, Partition: p, Offset: r.Int64N(1 << 40)})
	}
	return cmd
}

// Marks are in two records, so that each kind of subscriber sees one. At the end
// of a test there is one, and others in between are at most so many.
const (
	markPrefix = "mark "
	theEnd     = markPrefix + "of the end"
	maxMarks   = 10
)

// mark lets subscribers know how far they are.
func (l *load) mark(t *testing.T, mark string) {
	t.Helper()
	execute(t, l.store, addSegment(keptTopic, 0, mark))
	execute(t, l.store, metalog.CommitOffsets{Group: groupID(0), Offsets: []metalog.OffsetCommit{{Topic: keptTopic, Offset: 1, Metadata: mark}}})
}
