package crash

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/views"
)

const fillWorkers = 256

// What a row of the command-id window takes of the pending rows, at least: its
// hashed key, the hash of the command, and the index with both. Each record of
// the filled log has one.
const pendingBytesPerRecord = 100

// mostReplayed is how many records the checkpoint may lack: the rows of two full
// layers, and of the groups during which they became full or are on their way.
const mostReplayed = 2*fillPendingBytes/pendingBytesPerRecord + 4*fillWorkers

// TestReplayAfterKill kills a child that has made a long log and is writing on.
// Opening must apply the records that the checkpoint lacks, and read no others.
//
//	go test ./tests/crash -run TestReplayAfterKill
//	METALOG_LONG=1 go test ./tests/crash -run TestReplayAfterKill -timeout 1h -v
func TestReplayAfterKill(t *testing.T) {
	records := 3 * mostReplayed
	if isLong() {
		records = 10_000_000
	}
	s := newSubject(t.TempDir(), 0)
	config := s.child(fillWorkers)
	config.Fill = records
	s.run(t, config, func(k kind, p *os.Process) {
		if k == filled {
			_ = p.Kill()
		}
	})
	if s.history.count[filled] == 0 {
		t.Fatal("the child ended before the log was long enough")
	}

	db, log := openParts(t, s.dir)
	checkpoint := db.Checkpoint().Seq
	reader := &countingReader{Reader: log}
	if err := projector.CatchUp(t.Context(), db, reader, nil); err != nil {
		t.Fatal(err)
	}
	head := log.Head().Seq
	t.Logf("head %d, checkpoint %d, read %d", head, checkpoint, reader.records)
	if head < uint64(records) || db.Checkpoint().Seq != head {
		t.Errorf("%d records were acknowledged, the log ends at %d, the views at %d", records, head, db.Checkpoint().Seq)
	}
	// The checkpoint's own record is read too: it tells that this is its log.
	if lacking := head - checkpoint; reader.records > lacking+1 || lacking > mostReplayed {
		t.Errorf("read %d records; the checkpoint lacks %d, and should lack %d at most", reader.records, lacking, mostReplayed)
	}
}

// openParts opens views and log as a store does.
func openParts(t *testing.T, dir string) (*views.DB, *eventlog.File) {
	t.Helper()
	db, err := views.Open(views.Options{Path: filepath.Join(dir, "views.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	log, err := eventlog.Open(filepath.Join(dir, "log"), eventlog.Options{Witness: db.Checkpoint().Seq})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, log
}

// countingReader counts the records that are read.
type countingReader struct {
	events.Reader
	records uint64
}

func (c *countingReader) Records(ctx context.Context, from uint64) iter.Seq2[*events.Record, error] {
	return func(yield func(*events.Record, error) bool) {
		for rec, err := range c.Reader.Records(ctx, from) {
			c.records++
			if !yield(rec, err) {
				return
			}
		}
	}
}
