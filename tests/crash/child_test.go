package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// childConfig is what a child is told.
type childConfig struct {
	Dir     string
	Seed    uint64
	Workers int
	From    int // each worker's first number
	Limit   int // of each worker's commands; 0: none
	Fill    int // records to append quietly before FILLED is reported; 0: none
	// MinFreeBytes is the store's option.
	MinFreeBytes int64
	// Archive is the directory that old segments go to by themselves; empty: none do.
	Archive string
}

// options are small enough for rolls, flushes, snapshots, digests and moves to the
// archive in every round. A log that is filled is as a server's, but for the pending rows, which
// are few, and snapshots, which have no part in what is replayed.
func (c childConfig) options() metalog.Options {
	opts := metalog.Options{
		Path:            c.Dir,
		Holder:          "a child of the crash tests",
		SegmentSize:     128 << 10,
		MaxPendingBytes: 256 << 10,
		FlushInterval:   20 * time.Millisecond,
		DigestEvery:     500,
		SnapshotEvery:   700,
		MinFreeBytes:    c.MinFreeBytes,
		SweepInterval:   -1,
	}
	if c.Archive != "" {
		opts.ArchiveTo, opts.ArchivePolicy = c.Archive, metalog.ArchivePolicy{KeepRecords: 100}
	}
	if c.Fill > 0 {
		opts.SegmentSize, opts.FlushInterval, opts.DigestEvery = 0, 0, 0
		opts.MaxPendingBytes, opts.SnapshotEvery = fillPendingBytes, -1
	}
	return opts
}

const fillPendingBytes = 256 << 10

// child gives a store commands until it is killed, or until the store stops.
type child struct {
	config childConfig
	store  *metalog.Store
	out    reporter
}

func childMain(config string) error {
	c := &child{out: reporter{os.Stdout}}
	if err := json.Unmarshal([]byte(config), &c.config); err != nil {
		return err
	}
	go exitWithParent()
	c.out.say(opening)
	var err error
	if c.store, err = metalog.Open(context.Background(), c.config.options()); err != nil {
		return err
	}
	if c.config.Fill > 0 {
		return c.fill()
	}
	return c.finish(c.work())
}

// exitWithParent ends the child when the parent is gone, and with it the other
// end of standard input.
func exitWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(2)
}

// work runs the workers until none can go on, and reports whether the store
// stopped them.
func (c *child) work() (stopped bool) {
	var workers sync.WaitGroup
	var stops atomic.Int64
	for w := range c.config.Workers {
		workers.Go(func() {
			if c.worker(w) {
				stops.Add(1)
			}
		})
	}
	workers.Wait()
	return stops.Load() > 0
}

// A worker reads after so many commands.
const readEvery = 8

func (c *child) worker(w int) (stopped bool) {
	for n := c.config.From; c.config.Limit == 0 || n < c.config.From+c.config.Limit; n++ {
		if k := c.give(commandID{w, n}); k == unknown || k == unavailable {
			return true
		}
		if n%readEvery == 0 {
			c.read()
		}
	}
	return false
}

// give gives the store a command, and reports it before and after.
func (c *child) give(id commandID) kind {
	c.out.say(tried, id, 0)
	result, err := c.store.Execute(context.Background(), command(c.config.Seed, id), optionsOf(id))
	k := outcomeOf(result, err)
	c.out.say(k, id, result.Seq)
	return k
}

func optionsOf(id commandID) metalog.CommandOptions {
	return metalog.CommandOptions{ID: id.String(), Actor: actor}
}

// read reports the head of what a read sees: no crash may take it back.
func (c *child) read() {
	info, err := c.store.Info(context.Background())
	if err != nil {
		c.out.say(failed, "a read:", err)
		return
	}
	c.out.say(shown, info.Head.Seq, info.Head.Hash)
}

// finish checks how a store behaves that has stopped: later writes are refused,
// and reads go on.
func (c *child) finish(stopped bool) error {
	if stopped {
		if k := c.give(commandID{c.config.Workers, c.config.From}); k != unavailable {
			c.out.say(failed, "a write after the store had stopped was", k)
		}
	}
	c.read()
	if _, err := metalog.Collect(c.store.ListTopics(context.Background())); err != nil {
		c.out.say(failed, "a read:", err)
	}
	c.out.say(ended)
	_ = c.store.Close() // what went wrong before may go wrong again
	return nil
}

// fill appends records as fast as it can, says so, and goes on to be killed.
func (c *child) fill() error {
	ctx := context.Background()
	for _, cmd := range []metalog.Command{
		metalog.CreateTopic{Name: "filled", Partitions: 100, ReplicationFactor: 1},
		metalog.CreateGroup{ID: "filler"},
	} {
		if _, err := c.store.Execute(ctx, cmd, metalog.CommandOptions{}); err != nil && !errors.Is(err, metalog.ErrAlreadyExists) {
			return err
		}
	}
	var appended atomic.Int64
	errs := make(chan error)
	for w := range c.config.Workers {
		go func() {
			for n := 0; ; n++ {
				if _, err := c.store.Execute(ctx, fillCommand(n), optionsOf(commandID{w, n})); err != nil {
					errs <- err
				}
				if appended.Add(1) == int64(c.config.Fill) {
					c.out.say(filled)
				}
			}
		}()
	}
	return <-errs
}

func fillCommand(n int) metalog.Command {
	return metalog.CommitOffsets{Group: "filler", Offsets: []metalog.OffsetCommit{{Topic: "filled", Partition: int32(n % 100), Offset: int64(n)}}}
}

// outcomeOf words an answer.
func outcomeOf(result metalog.Result, err error) kind {
	switch {
	case err == nil && result.Repeated:
		return repeated
	case err == nil && result.Unchanged:
		return unchanged
	case err == nil:
		return done
	case errors.Is(err, metalog.ErrOutcomeUnknown):
		return unknown
	case events.CodeOf(err) == events.CodeUnavailable:
		return unavailable
	case errors.Is(err, metalog.ErrCorrupt):
		return failed
	}
	return refused
}

// reporter writes reports, a line each. A line is one write of less than a
// pipe's atomic size, so lines of several goroutines don't mix, and a kill leaves
// none of them in part.
type reporter struct{ file *os.File }

// say writes a line. A write that a fault was put into is tried again: reports
// are not what is under test.
func (r reporter) say(k kind, args ...any) {
	line := fmt.Appendln([]byte(k+" "), args...)
	for {
		if n, err := r.file.Write(line); err == nil || n > 0 {
			return
		}
	}
}
