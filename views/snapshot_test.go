package views

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/metalog/metalog/events"
)

// consistency runs a writer, a log writer, a flusher and readers as a store
// does. Record n sets every row of the test to n, so a snapshot that shows two
// numbers is torn, one that shows another number than its seq has lost or
// invented an update, and one beyond durable shows what a crash would take back.
type consistency struct {
	db      *DB
	durable atomic.Uint64
	sealed  chan *State
	flush   chan struct{}
}

const (
	consistencyRecords = 600
	consistencyRows    = 20
)

func TestSnapshotsAreConsistent(t *testing.T) {
	db, tx := mustOpen(t)
	must(t, tx.Release())
	c := &consistency{db: db, sealed: make(chan *State, 2), flush: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(t.Context())
	var pipeline, readers sync.WaitGroup
	pipeline.Go(func() { c.write(t, tx) })
	pipeline.Go(func() { c.log() })
	pipeline.Go(func() { c.flusher(t) })
	for reader := range 4 {
		readers.Go(func() { c.read(ctx, t, reader) })
	}
	pipeline.Wait()
	stop()
	readers.Wait()
	if got := db.Checkpoint().Seq; got != consistencyRecords {
		t.Errorf("published up to %d, want %d", got, consistencyRecords)
	}
}

func row(n int) key { return bucketSegments.key().string(fmt.Sprintf("row %02d", n)) }

// write seals a group of one to three records at a time, and freezes every
// third group. A row is also deleted in odd records.
func (c *consistency) write(t *testing.T, tx *Tx) {
	defer close(c.sealed)
	for tx.Seq() < consistencyRecords {
		if err := tx.Begin(); err != nil {
			t.Error(err)
			return
		}
		for range 1 + tx.Seq()%3 {
			if err := c.record(tx); err != nil {
				t.Error(err)
				return
			}
		}
		state, err := tx.Seal(tx.Seq()%3 == 0)
		if err != nil {
			t.Error(err)
			return
		}
		c.sealed <- state
	}
}

func (c *consistency) record(tx *Tx) error {
	seq := tx.Seq() + 1
	if seq > consistencyRecords {
		return nil
	}
	for n := range consistencyRows {
		value, found, err := tx.get(row(n))
		if err != nil || seq > 1 && (!found || binary.BigEndian.Uint64(value) != seq-1) {
			return fmt.Errorf("record %d: row %d holds %x, %v, %w", seq, n, value, found, err)
		}
		if err := tx.put(row(n), binary.BigEndian.AppendUint64(nil, seq)); err != nil {
			return err
		}
	}
	odd := row(consistencyRows)
	var err error
	if seq%2 == 0 {
		err = tx.put(odd, []byte{1})
	} else if seq > 1 {
		err = tx.remove(odd)
	}
	return errors.Join(err, tx.Advance(&events.Record{Seq: seq}))
}

// log makes states durable, then publishes them.
func (c *consistency) log() {
	defer close(c.flush)
	for state := range c.sealed {
		c.durable.Store(state.at.Seq)
		c.db.Publish(state)
		select {
		case c.flush <- struct{}{}:
		default:
		}
	}
}

func (c *consistency) flusher(t *testing.T) {
	for range c.flush {
		flush := c.db.Flush
		if c.db.Checkpoint().Seq%5 == 0 {
			flush = c.db.FlushAll
			c.compact(t)
		}
		if err := flush(t.Context()); err != nil {
			t.Error(err)
		}
		if flushed := c.db.Flushed().Seq; flushed > c.durable.Load() {
			t.Errorf("flushed up to %d before it was durable", flushed)
		}
	}
}

// compact begins a compaction if none is under way: at once, or beside flushes.
func (c *consistency) compact(t *testing.T) {
	if c.db.compactor.copying != nil {
		return
	}
	var err error
	if c.db.compactor.copying, err = newCompaction(c.db.path+compactSuffix, c.db.Checkpoint().Seq%2 == 0); err != nil {
		t.Error(err)
	}
}

func (c *consistency) read(ctx context.Context, t *testing.T, reader int) {
	for last := uint64(0); ctx.Err() == nil; {
		snapshot, err := c.db.Snapshot()
		if err != nil {
			t.Error(err)
			return
		}
		if seq := snapshot.Seq(); seq < last || seq > c.durable.Load() {
			t.Errorf("reader %d: seq %d after %d, durable %d", reader, seq, last, c.durable.Load())
		}
		last = snapshot.Seq()
		if err := errors.Join(c.check(snapshot), snapshot.Close()); err != nil {
			t.Errorf("reader %d: %v", reader, err)
			return
		}
	}
}

// check reads all rows by get and by scan.
func (c *consistency) check(s *Snapshot) error {
	seq, n := s.Seq(), 0
	for e, err := range s.scan(bucketSegments.key().string("row ")) {
		if err != nil {
			return err
		}
		if n < consistencyRows && binary.BigEndian.Uint64(e.value) != seq {
			return fmt.Errorf("seq %d: scan shows row %d of record %d", seq, n, binary.BigEndian.Uint64(e.value))
		}
		n++
	}
	want := consistencyRows
	if seq > 0 && seq%2 == 0 {
		want++
	}
	if seq > 0 && n != want {
		return fmt.Errorf("seq %d: scan shows %d rows, want %d", seq, n, want)
	}
	for n := range consistencyRows {
		value, found, err := s.get(row(n))
		if err != nil || seq > 0 && (!found || binary.BigEndian.Uint64(value) != seq) {
			return fmt.Errorf("seq %d: row %d holds %x, %v, %w", seq, n, value, found, err)
		}
	}
	return nil
}

// TestReadsWhileRowsMove reads without a pause while a flush moves rows from the
// frozen layer to the file: at each moment one of the two has to show them.
func TestReadsWhileRowsMove(t *testing.T) {
	db, tx := mustOpen(t)
	for seq := uint64(1); seq <= 150; seq++ {
		must(t, tx.put(row(1), binary.BigEndian.AppendUint64(nil, seq)))
		advance(t, tx)
		state, err := tx.Seal(true)
		must(t, err)
		db.Publish(state)
		flushed := make(chan error, 1)
		go func() { flushed <- db.Flush(t.Context()) }()
		for moving := true; moving; {
			select {
			case err := <-flushed:
				must(t, err)
				moving = false
			default:
			}
			must(t, tx.Begin())
			must(t, errors.Join(showsRecord(&tx.Reader, seq), tx.Release()))
			snapshot, err := db.Snapshot()
			must(t, err)
			must(t, errors.Join(showsRecord(&snapshot.Reader, seq), snapshot.Close()))
		}
		must(t, tx.Begin())
	}
}

func showsRecord(r *Reader, seq uint64) error {
	value, found, err := r.get(row(1))
	if err != nil || !found || binary.BigEndian.Uint64(value) != seq {
		return fmt.Errorf("record %d: the row holds %x, %v, %w", seq, value, found, err)
	}
	return nil
}

func TestSnapshotStaysAsItWas(t *testing.T) {
	db, tx := mustOpen(t)
	must(t, tx.put(row(1), []byte("old")))
	commit(t, tx)
	snapshot, err := db.Snapshot()
	must(t, err)
	must(t, tx.put(row(1), []byte("new")))
	commit(t, tx)
	must(t, db.FlushAll(t.Context()))
	value, _, err := snapshot.get(row(1))
	must(t, err)
	if string(value) != "old" {
		t.Errorf("a snapshot of seq 1 shows %q after seq 2", value)
	}
	must(t, snapshot.Close())
	must(t, snapshot.Close())
	if _, _, err := snapshot.get(row(1)); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("read from a closed snapshot: %v", err)
	}
	for _, err := range snapshot.Topics() {
		if !errors.Is(err, events.ErrUnavailable) {
			t.Errorf("scan of a closed snapshot: %v", err)
		}
	}
}

// TestSnapshotRetries opens a snapshot of a state that a flush has overtaken.
func TestSnapshotRetries(t *testing.T) {
	db, tx := mustOpen(t)
	must(t, tx.put(row(1), []byte("old")))
	commit(t, tx)
	stale := db.published.Load()
	must(t, tx.put(row(1), []byte("new")))
	commit(t, tx)
	must(t, db.FlushAll(t.Context()))
	fresh := db.published.Load()

	db.published.Store(stale)
	opened := make(chan *Snapshot)
	go func() {
		s, err := db.Snapshot()
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}()
	db.published.Store(fresh)
	snapshot := <-opened
	defer snapshot.Close()
	if value, _, err := snapshot.get(row(1)); err != nil || string(value) != "new" || snapshot.Seq() != 2 {
		t.Errorf("seq %d shows %q, %v", snapshot.Seq(), value, err)
	}
}

func TestCloseWaitsForSnapshots(t *testing.T) {
	db, err := Open(Options{Path: t.TempDir() + "/views.db"})
	must(t, err)
	snapshot, err := db.Snapshot()
	must(t, err)
	closed := make(chan error)
	go func() { closed <- db.Close() }()
	for {
		// Once Close has begun no new snapshot opens, and the old one still reads.
		s, err := db.Snapshot()
		if err != nil {
			if !errors.Is(err, events.ErrUnavailable) {
				t.Error(err)
			}
			break
		}
		must(t, s.Close())
	}
	select {
	case err := <-closed:
		t.Fatalf("closed under an open snapshot: %v", err)
	default:
	}
	_, err = snapshot.Topic("none")
	if !errors.Is(err, events.ErrNotFound) {
		t.Error(err)
	}
	must(t, snapshot.Close())
	must(t, <-closed)
	must(t, db.Close())
}

func TestWaitPublished(t *testing.T) {
	db, tx := mustOpen(t)
	done := make(chan error)
	go func() { done <- db.WaitPublished(t.Context(), 2) }()
	commit(t, tx)
	commit(t, tx)
	must(t, <-done)
	must(t, db.WaitPublished(t.Context(), 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.WaitPublished(ctx, 3); !errors.Is(err, context.Canceled) {
		t.Errorf("wait for what never comes: %v", err)
	}
}
