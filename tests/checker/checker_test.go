package checker

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	writers    = 4
	partitions = 8
	total      = 1000 // the sum of each transfer's two sides
)

// rounds is how many commands each writer gives.
func rounds() int64 {
	if os.Getenv("METALOG_LONG") != "" {
		return 50_000
	}
	return 200
}

// TestReadersSeeWholeDurableStates has readers take views all the time, while
// writers work and rows are flushed as often as can be (a few kilobytes fill the
// memory for pending rows). What it looks for:
//
//   - a torn read: each writer commits the same number for all partitions in one
//     record, so a view shows all of them equal; and another transfers between
//     two offsets of one record, so a view shows their sum unchanged;
//   - a read of something that is not durable: a view's seq is never beyond the
//     log's head;
//   - a lost update: what a writer has been told is done shows in the next view,
//     and its numbers never go back;
//   - time: the seqs that one reader sees never go back.
//
// It was seen to fail with each of these broken on purpose:
//   - logwriter.go, commit: Publish before Append ("beyond the log's head");
//   - logwriter.go, commit: requests answered before Publish ("lost update");
//   - views/flush.go, Flush: the frozen layer retired before its rows are written
//     (the first command after that finds its group gone).
func TestReadersSeeWholeDurableStates(t *testing.T) {
	s := storetest.Open(t, func(o *metalog.Options) {
		o.MaxPendingBytes = 4 << 10
		o.FlushInterval = time.Millisecond
		o.DigestEvery = 100
	})
	s.Must(metalog.CreateTopic{Name: "t", Partitions: partitions, ReplicationFactor: 1})
	for w := range writers {
		s.Must(metalog.CreateGroup{ID: group(w)})
		s.Must(equalCommit(w, 0))
	}
	s.Must(metalog.CreateGroup{ID: "transfer"})
	s.Must(transfer(0))

	c := &checker{Store: s.Store, t: t}
	done := make(chan struct{})
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() { c.write(w) })
	}
	writing.Go(c.transfers)
	for range 2 {
		reading.Go(func() { c.read(done) })
	}
	writing.Wait()
	close(done)
	reading.Wait()
	for w := range writers {
		c.checkOwn(w, rounds())
	}
	if flushed := s.MustInfo().Checkpoint; flushed < uint64(rounds()) {
		t.Errorf("flushes reached seq %d only: nothing was checked", flushed)
	}
}

func group(writer int) string { return fmt.Sprintf("writer-%d", writer) }

// equalCommit commits n for all partitions.
func equalCommit(writer int, n int64) metalog.CommitOffsets {
	c := metalog.CommitOffsets{Group: group(writer)}
	for p := range int32(partitions) {
		c.Offsets = append(c.Offsets, metalog.OffsetCommit{Topic: "t", Partition: p, Offset: n})
	}
	return c
}

// transfer commits two offsets whose sum is total.
func transfer(n int64) metalog.CommitOffsets {
	n %= total
	return metalog.CommitOffsets{Group: "transfer", Offsets: []metalog.OffsetCommit{
		{Topic: "t", Partition: 0, Offset: n}, {Topic: "t", Partition: 1, Offset: total - n},
	}}
}

// checker reports what is wrong. Its methods run beside each other.
type checker struct {
	*metalog.Store
	t *testing.T
}

func (c *checker) write(writer int) {
	for n := range rounds() {
		if _, err := c.CommitOffsets(c.t.Context(), equalCommit(writer, n+1)); err != nil {
			c.t.Errorf("writer %d: %v", writer, err)
			return
		}
		c.checkOwn(writer, n+1)
	}
}

func (c *checker) transfers() {
	for n := range rounds() {
		if _, err := c.CommitOffsets(c.t.Context(), transfer(n)); err != nil {
			c.t.Errorf("transfer: %v", err)
			return
		}
	}
}

// checkOwn reads what a writer was told is done.
func (c *checker) checkOwn(writer int, want int64) {
	got, err := c.GetOffset(c.t.Context(), group(writer), "t", partitions-1)
	if err != nil || got.Offset != want {
		c.t.Errorf("lost update: writer %d was told that %d is done and reads %d, %v", writer, want, got.Offset, err)
	}
}

// read takes views until done, and at least one.
func (c *checker) read(done <-chan struct{}) {
	last := &seen{}
	for {
		if err := c.look(last); err != nil {
			c.t.Error(err)
			return
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// seen is what a reader saw last.
type seen struct {
	seq     uint64
	numbers [writers]int64
}

// look takes one view and checks it. A reader's own flow is not the test's, so it
// gives an error back instead of ending the test.
func (c *checker) look(last *seen) error {
	view, err := c.View(c.t.Context(), 0)
	if err != nil {
		return err
	}
	err = c.check(view, last)
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (c *checker) check(view metalog.View, last *seen) error {
	// The head is read after the view was made, so it can only be further.
	if head := c.Log().Head().Seq; view.Seq() > head {
		return fmt.Errorf("a view shows seq %d, beyond the log's head %d", view.Seq(), head)
	}
	if view.Seq() < last.seq {
		return fmt.Errorf("a view shows seq %d after one of %d", view.Seq(), last.seq)
	}
	last.seq = view.Seq()
	for w := range writers {
		numbers, err := offsets(c.t.Context(), view, group(w), partitions)
		if err != nil {
			return err
		}
		for _, n := range numbers {
			if n != numbers[0] {
				return fmt.Errorf("seq %d is torn: writer %d has %v", view.Seq(), w, numbers)
			}
		}
		if numbers[0] < last.numbers[w] {
			return fmt.Errorf("seq %d: writer %d went back from %d to %d", view.Seq(), w, last.numbers[w], numbers[0])
		}
		last.numbers[w] = numbers[0]
	}
	sides, err := offsets(c.t.Context(), view, "transfer", 2)
	if err == nil && sides[0]+sides[1] != total {
		err = fmt.Errorf("seq %d is torn: the transfer's sides are %v", view.Seq(), sides)
	}
	return err
}

// offsets reads a group's offsets, one by one and as a list: gets and scans go
// different ways through the layers.
func offsets(ctx context.Context, view metalog.View, group string, want int) ([]int64, error) {
	list, err := metalog.Collect(view.ListOffsets(ctx, group))
	if err != nil {
		return nil, err
	}
	if len(list) != want {
		return nil, fmt.Errorf("seq %d shows nothing of some of %s's offsets: %d of %d", view.Seq(), group, len(list), want)
	}
	numbers := make([]int64, len(list))
	for i, o := range list {
		got, err := view.GetOffset(ctx, group, o.Topic, o.Partition)
		if err != nil {
			return nil, err
		}
		if o.Revision > view.Seq() {
			return nil, fmt.Errorf("seq %d is torn: %s, partition %d is of seq %d", view.Seq(), group, o.Partition, o.Revision)
		}
		if got.Offset != o.Offset {
			return nil, fmt.Errorf("seq %d is torn: %s, partition %d is %d in a list and %d alone", view.Seq(), group, o.Partition, o.Offset, got.Offset)
		}
		numbers[i] = o.Offset
	}
	return numbers, nil
}
