package views

import (
	"errors"
	"iter"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// Most rows are CBOR, as events are; the hot ones (offsets, watermarks) have a
// fixed binary form of their own.

func decodeRow(b bucket, value []byte, row any) error {
	if err := events.Unmarshal(value, row); err != nil {
		return events.Errorf(events.CodeCorrupt, "views: a row of %s can't be read: %w; rebuild the views", b, err)
	}
	return nil
}

// load reads and decodes the row under k.
func load[T any](r *Reader, k key) (row T, found bool, err error) {
	value, found, err := r.get(k)
	if err != nil || !found {
		return row, false, err
	}
	return row, true, decodeRow(k.bucket(), value, &row)
}

// rowsOf yields the decoded rows whose keys begin with prefix.
func rowsOf[T any](r *Reader, prefix key) iter.Seq2[T, error] {
	return collect(r.scan(prefix), func(e entry) (row T, ok bool, err error) {
		return row, true, decodeRow(prefix.bucket(), e.value, &row)
	})
}

// collect yields what pick makes of each of seq, leaving out those for which it
// returns false. An error of seq or pick is yielded and ends it.
func collect[From, To any](seq iter.Seq2[From, error], pick func(From) (To, bool, error)) iter.Seq2[To, error] {
	return func(yield func(To, error) bool) {
		var none To
		for from, err := range seq {
			if err != nil {
				yield(none, err)
				return
			}
			to, ok, err := pick(from)
			if err != nil {
				yield(none, err)
				return
			}
			if ok && !yield(to, nil) {
				return
			}
		}
	}
}

// save encodes row and puts it under k.
func (tx *Tx) save(k key, row any) error {
	value, err := events.Marshal(row)
	if err != nil {
		return events.Errorf(events.CodeInvalid, "views: a row of %s can't be encoded: %w", k.bucket(), err)
	}
	return tx.put(k, value)
}

// ifReachable yields seq, or nothing when the topic is gone.
func ifReachable[T any](r *Reader, topic uuid.UUID, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ok, err := r.reachable(topic)
		if err != nil {
			var none T
			yield(none, err)
		}
		if err == nil && ok {
			seq(yield)
		}
	}
}

func errBadRow(b bucket) error {
	return events.Errorf(events.CodeCorrupt, "views: a row of %s has the wrong length; rebuild the views", b)
}

func errBrokenIndex(b bucket) error {
	return events.Errorf(events.CodeCorrupt, "views: the index %s names a row that is not there; rebuild the views", b)
}

// errDeletesMissing makes the error of a look-up before a delete that of the
// delete: see Tx.remove.
func errDeletesMissing(err error) error {
	if errors.Is(err, events.ErrNotFound) {
		return events.Errorf(events.CodeCorrupt, "views: apply deletes what is not there: %w; rebuild the views", err)
	}
	return err
}
