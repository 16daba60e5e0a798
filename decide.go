package metalog

import (
	"bytes"
	"errors"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// decision is what a command's decide looks at and writes to. It lives for one
// command, in the sequencer's goroutine (or, for a plan, in the caller's).
type decision struct {
	view  *views.Reader
	seq   uint64           // of the record, if there will be one
	now   events.Time      // of the record
	newID func() uuid.UUID // a fresh id

	ifRevision *uint64
	compared   bool // ifRevision was looked at

	facts []events.Fact
	bytes int              // of the payloads in facts, once a cascade counts
	cause *events.Position // of the record, for what continues a cascade
	plan  bool             // list whole cascades, however large
}

// emit adds an event that the command asks for and returns its index.
func (d *decision) emit(e events.Event) int {
	d.facts = append(d.facts, events.Fact{Event: e, Cause: events.NoCause})
	return len(d.facts) - 1
}

// derive adds an event that event cause of the record caused, and returns its
// index.
func (d *decision) derive(cause int, e events.Event) int {
	d.facts = append(d.facts, events.Fact{Event: e, Derived: true, Cause: cause})
	return len(d.facts) - 1
}

// cascade derives all events below cause, as far as one record holds them, and
// reports whether more are left for further records.
func (d *decision) cascade(cause int, derived derivation) (more bool, err error) {
	for e, err := range derived {
		if err != nil {
			return false, err
		}
		fits, err := d.room(e)
		if err != nil {
			return false, err
		}
		if !fits {
			if more = true; !d.plan {
				return more, nil
			}
		}
		d.derive(cause, e)
	}
	return more, nil
}

// room reports whether the record still holds an event, and counts it then.
func (d *decision) room(e events.Event) (bool, error) {
	size, err := payloadSize(e)
	if err != nil || len(d.facts) >= events.MaxRecordEvents || d.bytes+size > events.MaxRecordPayload {
		return false, err
	}
	d.bytes += size
	return true, nil
}

// deriveAll derives all events below cause, of which there is a bound that keeps
// them to one record.
func (d *decision) deriveAll(cause int, derived derivation) error {
	more, err := d.cascade(cause, derived)
	if err == nil && more && !d.plan {
		err = events.Errorf(events.CodeTooLarge, "what follows from the command does not fit one record (%d events)", events.MaxRecordEvents)
	}
	return err
}

// same reports whether two values are stored alike: no list is an empty list.
func same(a, b any) (bool, error) {
	encodedA, err := events.Marshal(a)
	if err != nil {
		return false, err
	}
	encodedB, err := events.Marshal(b)
	return bytes.Equal(encodedA, encodedB), err
}

func payloadSize(e events.Event) (int, error) {
	payload, err := events.Marshal(e)
	return len(payload), err
}

// expect compares the revision of the entity that the command is about with the
// one that the caller expects, if it expects any. A decide calls it before it
// rejects for any other reason that the entity's state gives.
func (d *decision) expect(what string, revision uint64) error {
	d.compared = true
	switch {
	case d.ifRevision == nil || *d.ifRevision == revision:
		return nil
	case revision == 0:
		return events.Errorf(events.CodeConflict, "%s: revision %d was expected, but it does not exist; read it and decide again", what, *d.ifRevision)
	case *d.ifRevision == 0:
		return events.Errorf(events.CodeConflict, "%s: it was expected not to exist, but has revision %d; read it and decide again", what, revision)
	}
	return events.Errorf(events.CodeConflict, "%s: revision %d was expected, but it has %d; read it and decide again", what, *d.ifRevision, revision)
}

// found is for a command about an entity that must be there: err is what reading
// it gave.
func (d *decision) found(what string, revision uint64, err error) error {
	exists, err2 := d.exists(what, revision, err)
	if err2 != nil || exists {
		return err2
	}
	return err
}

// exists is for a command about an entity that may be there.
func (d *decision) exists(what string, revision uint64, err error) (bool, error) {
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, err
	}
	return err == nil, d.expect(what, revision)
}

// run has cmd decide and checks what a decide can't forget.
func (d *decision) run(cmd Command) error {
	if c := d.cause; c != nil && (c.Seq == 0 || c.Seq >= d.seq || c.Index < 0) {
		return events.Errorf(events.CodeInvalid, "cause %s: there is no such event yet; name one that was before the command", c)
	}
	if err := cmd.decide(d); err != nil {
		return err
	}
	if d.ifRevision != nil && !d.compared {
		return events.Errorf(events.CodeInvalid, "%s is about no single entity: it takes no expected revision", cmd.Op())
	}
	return d.fits()
}

// fits checks the record's limits for what the command itself asks; a cascade
// keeps to them already.
func (d *decision) fits() error {
	if d.plan {
		return nil
	}
	if n := len(d.facts); n > events.MaxRecordEvents {
		return events.Errorf(events.CodeTooLarge, "the command changes %d things, the limit is %d; split it", n, events.MaxRecordEvents)
	}
	return nil
}
