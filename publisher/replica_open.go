package publisher

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/logread"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// open gives the replica views to begin with: its own, when they are of use, or
// new ones.
func (r *Replica) open(ctx context.Context) error {
	if err := r.removeTemp(); err != nil {
		return err
	}
	if err := r.openOwn(ctx); err != nil {
		return err
	}
	if r.db != nil && r.db.Checkpoint().Seq > 0 {
		switch err := r.greet(ctx); {
		case errors.Is(err, events.ErrOutOfRange):
			r.log.Warn("views are made anew", "why", err)
		default:
			return err
		}
	}
	return r.begin(ctx)
}

func (r *Replica) viewsOptions() views.Options {
	return views.Options{Path: r.Path(), MaxPendingBytes: r.options.MaxPendingBytes, Logger: r.log}
}

// openOwn opens the views that the directory has, and reads all of their pages.
// It leaves db nil when there are none, or none of use; those are set aside.
func (r *Replica) openOwn(ctx context.Context) error {
	if _, err := os.Stat(r.Path()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	db, err := views.Open(r.viewsOptions())
	if err == nil {
		if err = db.CheckPages(ctx); err == nil {
			err = r.adopt(db)
		}
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if errors.Is(err, views.ErrSchema) || errors.Is(err, events.ErrCorrupt) {
		r.log.Warn("views can't be used and are made anew", "why", err)
		return replay.SetAside(r.Path())
	}
	return err
}

// adopt makes db the replica's views. Those of a log are of no other.
func (r *Replica) adopt(db *views.DB) error {
	epoch, err := logOf(db)
	if err != nil {
		return err
	}
	if db.Checkpoint().Seq > 0 {
		if r.options.LogID != uuid.Nil && r.options.LogID != epoch.LogID {
			return events.Errorf(events.CodeConflict, "replica %s is of log %s, not of %s; name another directory, or remove it to begin anew", r.dir, epoch.LogID, r.options.LogID)
		}
		r.options.LogID = epoch.LogID
	}
	r.db = db
	return nil
}

// logOf returns what the log's last epoch began with, as views know it.
func logOf(db *views.DB) (events.EpochStarted, error) {
	now, err := db.Snapshot()
	if err != nil {
		return events.EpochStarted{}, err
	}
	epoch, err := now.Log()
	return epoch, errors.Join(err, now.Close())
}

// greetTimeout is for how long a replica that has views waits for the server
// before it goes on with them.
const greetTimeout = 3 * time.Second

// greet asks the server whether it has the record that the views are at. One
// that does not answer is no obstacle: it will be asked again.
func (r *Replica) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	at := r.db.Checkpoint()
	err := r.probe(ctx, at.Head())
	if transient, ok := errors.AsType[*retryError](err); ok {
		r.log.Warn("the server does not answer; the views stay as they are until it does", "seq", at.Seq, "error", transient)
		return nil
	}
	return err
}

// probe asks the server whether its log has a record, or begins right after it.
func (r *Replica) probe(ctx context.Context, at events.Head) error {
	answer, err := r.ask(ctx, at, logread.Request{From: at.Seq + 1, MaxBytes: 1})
	if err != nil {
		return err
	}
	_, err = r.framesOf(at, answer)
	return err
}

// beginTries is how often a start without views is tried.
const beginTries = 6

// begin makes views anew.
func (r *Replica) begin(ctx context.Context) error {
	backoff := minBackoff
	for try := 1; ; try++ {
		err := r.beginOnce(ctx)
		transient, ok := errors.AsType[*retryError](err)
		if !ok {
			return err
		}
		if ctx.Err() != nil || try == beginTries {
			return events.Errorf(events.CodeUnavailable, "replica %s: no views yet, and no server of cluster %q to get them from: %w; check that it runs, and the cluster's name", r.dir, r.options.Cluster, transient)
		}
		r.log.Warn("start interrupted; trying again", "error", transient, "retry_in", backoff)
		sleep(ctx, backoff)
		backoff *= 2
	}
}

func (r *Replica) beginOnce(ctx context.Context) error {
	server, err := r.meet(ctx)
	if err != nil {
		return err
	}
	offers, b, err := r.offersFor(ctx, server)
	if err != nil {
		return err
	}
	for _, o := range slices.Backward(offers) {
		err := r.beginWith(ctx, b, o)
		if !errors.Is(err, events.ErrCorrupt) {
			return err
		}
		r.log.Warn("snapshot is passed over", "seq", o.snapshot.Seq, "why", err)
	}
	if server.First > 1 {
		return events.Errorf(events.CodeOutOfRange, "replica %s: the server's log starts at seq %d, and it offers no snapshot that can be used; take one there with 'metalog snapshot create'", r.dir, server.First)
	}
	r.log.Info("beginning with the log's first record", "records_to_apply", server.Head.Seq)
	return r.openNew(events.Head{})
}

// meet asks where the server's log stands, and takes it for the replica's unless
// that is another.
func (r *Replica) meet(ctx context.Context) (logread.State, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := logread.Ask(ctx, r.js.Conn(), r.options.Cluster, logread.Request{From: 1, MaxBytes: 1})
	server := answer.State
	if refusal, ok := errors.AsType[*logread.Refusal](err); ok && refusal.LogID != uuid.Nil {
		server, err = refusal.State, nil // the first record is in the archive
	}
	if err != nil {
		return server, asked(err)
	}
	if r.options.LogID == uuid.Nil {
		r.options.LogID = server.LogID
	}
	r.heard(server, false)
	return server, r.checkLog(server)
}

// offersFor returns the offers that lead into the server's log.
func (r *Replica) offersFor(ctx context.Context, server logread.State) ([]offer, *bucket, error) {
	b, err := openBucket(ctx, r.js, r.options.Cluster)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	offers, err := b.list(ctx)
	offers = slices.DeleteFunc(offers, func(o offer) bool {
		s := o.snapshot
		return s.SchemaVersion != views.SchemaVersion || s.LogID != server.LogID || s.Seq > server.Head.Seq || s.Seq+1 < server.First
	})
	return offers, b, err
}

// beginWith makes the views of an offer, which has to be of the server's log.
// ErrCorrupt tells that it is not, or that it is damaged.
func (r *Replica) beginWith(ctx context.Context, b *bucket, o offer) error {
	if err := r.probe(ctx, o.snapshot.Head()); err != nil {
		return err
	}
	if err := r.closeOwn(); err != nil {
		return err
	}
	r.log.Info("fetching a snapshot", "seq", o.snapshot.Seq, "bytes", o.snapshot.SizeBytes)
	began := time.Now()
	err := b.fetch(ctx, o, r.Path(), func(bytes int64) {
		r.options.Progress(Progress{Snapshot: o.snapshot, Bytes: bytes, Head: r.Head().Seq})
	})
	if err != nil {
		return err
	}
	r.log.Info("snapshot fetched", "seq", o.snapshot.Seq, "bytes", o.snapshot.SizeBytes, "took", time.Since(began))
	return r.openNew(o.snapshot.Head())
}

// closeOwn closes views that are about to be replaced.
func (r *Replica) closeOwn() error {
	if r.db == nil {
		return nil
	}
	err := r.db.Close()
	r.db = nil
	return err
}

// openNew opens views that were just made, which have to be at a head.
func (r *Replica) openNew(at events.Head) error {
	if r.db != nil && at.Seq == 0 {
		return nil // views without a record were there already
	}
	db, err := views.Open(r.viewsOptions())
	if err != nil {
		return err
	}
	if got := db.Checkpoint().Head(); got != at {
		return errors.Join(events.Errorf(events.CodeCorrupt, "the views are at %s, and should be at %s", got, at), db.Close())
	}
	return r.adopt(db)
}
