package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// CatchUp applies the records of a log that the views do not have yet, and
// leaves them published. Memory is bounded: rows are flushed on the way, with
// the checkpoint up to which they go, so a run that was interrupted goes on from
// there. When ctx is done it flushes what it has applied, and every half a minute.
// Progress, if not nil, is called now and then with the seq reached.
//
// It is ErrCorrupt when the views are of another log or ahead of it, or differ
// from a digest that the log has.
func CatchUp(ctx context.Context, db *views.DB, log events.Reader, progress func(seq uint64)) error {
	return CatchUpTo(ctx, db, log, log.Head().Seq, progress)
}

// CatchUpTo is CatchUp up to a seq of the log. Views that are beyond it stay as
// they are.
func CatchUpTo(ctx context.Context, db *views.DB, log events.Reader, to uint64, progress func(seq uint64)) error {
	if err := sameLog(ctx, db, log); err != nil {
		return err
	}
	tx := db.Writer()
	if err := tx.Begin(); err != nil {
		return err
	}
	tx.BeginLoad()
	defer tx.EndLoad()
	if err := applyAll(ctx, tx, log, to, progress); err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) { // so it came between two records
			err = errors.Join(err, tx.Save(context.WithoutCancel(ctx)))
		}
		return err
	}
	state, err := tx.Seal(false)
	if err == nil {
		db.Publish(state)
	}
	return err
}

const (
	progressEvery = 4096             // records
	saveEvery     = 30 * time.Second // what a crash can make anew
)

func applyAll(ctx context.Context, tx *views.Tx, log events.Reader, to uint64, progress func(seq uint64)) error {
	if tx.Seq() >= to {
		return nil
	}
	saved := time.Now()
	for rec, err := range readAhead(ctx, log, tx.Seq()+1, to) {
		if err != nil {
			return err
		}
		if err := CheckDigest(tx, rec); err != nil {
			return err
		}
		if err := Apply(tx, rec); err != nil {
			return err
		}
		if progress != nil && rec.Seq%progressEvery == 0 {
			progress(rec.Seq)
		}
		switch {
		case tx.FreezeDue():
			err = tx.Commit(ctx)
		case rec.Seq%progressEvery == 0 && time.Since(saved) > saveEvery:
			err, saved = tx.Save(ctx), time.Now()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sameLog checks that the views were projected from this log.
func sameLog(ctx context.Context, db *views.DB, log events.Reader) error {
	at, head := db.Checkpoint(), log.Head()
	switch {
	case at.Seq == 0:
		return nil
	case at.Seq > head.Seq:
		return events.Errorf(events.CodeCorrupt, "the views are at seq %d, but the log ends at %d: records were lost; restore the log from a backup", at.Seq, head.Seq)
	case at.Seq == head.Seq:
		return sameHash(at, head.Hash)
	case at.Seq < log.First():
		return nil // the record is in the archive; the next one's place in the chain is checked there
	}
	for rec, err := range log.Records(ctx, at.Seq) {
		if err != nil {
			return err
		}
		return sameHash(at, rec.Hash)
	}
	return nil
}

func sameHash(at views.Checkpoint, hash events.Hash) error {
	if at.Hash != hash {
		return events.Errorf(events.CodeCorrupt, "the views were made from another log: their record %d has hash %s, this log's has %s; put the right log and views together, or remove the views to have them made anew", at.Seq, at.Hash, hash)
	}
	return nil
}

// DigestError tells that views are not what the log noted of them. It is
// ErrCorrupt: the views are wrong, or those of the log's writer were.
type DigestError struct {
	Seq   uint64 // of the DigestRecorded
	At    uint64 // the seq that the digest is of
	Views events.Hash
	Noted events.Hash
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("seq %d: the views have digest %s, but the log noted %s; they went apart after the digest before this one", e.At, e.Views, e.Noted)
}

// Unwrap gives the error's code.
func (e *DigestError) Unwrap() error { return events.ErrCorrupt }

// CheckDigest compares the views with the digest that the next record notes, if
// it does; a [DigestError] tells that they differ. Another schema version can't
// be compared.
func CheckDigest(tx *views.Tx, rec *events.Record) error {
	noted, ok := rec.Facts[0].Event.(*events.DigestRecorded)
	if !ok || noted.SchemaVersion != views.SchemaVersion || noted.Digest == tx.Digest() {
		return nil
	}
	return &DigestError{Seq: rec.Seq, At: noted.At, Views: tx.Digest(), Noted: noted.Digest}
}
