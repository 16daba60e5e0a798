package replay

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/views"
)

// claim is a head that the log is said to have had.
type claim struct {
	events.Head
	by   string // who says so
	kind FindingKind
}

// logCheck checks the records of a log in their order. A scan of the log has
// checked frames, seqs and the chain before it sees them.
type logCheck struct {
	report  *VerifyReport
	claims  map[uint64][]claim // by seq; those that were looked at are taken out
	durable uint64             // the highest seq of a claim
	ended   bool               // the scan came to the end of the log, not to damage
	sound   bool               // all records so far can be decoded
	last    eventlog.Located   // without its bytes
	types   map[string]uint64  // counts events, if not nil
	buf     []byte             // what a record is encoded into, used again
	decoder events.Decoder
}

func newLogCheck(report *VerifyReport) *logCheck {
	return &logCheck{report: report, claims: map[uint64][]claim{}, sound: true}
}

func (c *logCheck) claim(claim claim) {
	c.claims[claim.Seq] = append(c.claims[claim.Seq], claim)
	c.durable = max(c.durable, claim.Seq)
}

// run scans the log in dir up to a seq, 0 for its end, and adds to the report
// what it finds. Its error is one of reading, not of what was read.
func (c *logCheck) run(ctx context.Context, dir string, to uint64, progress func()) error {
	for at, err := range eventlog.Scan(ctx, dir, 0) {
		if err != nil {
			return c.stopped(err)
		}
		c.frame(at)
		if progress(); at.Seq == to {
			break
		}
	}
	c.ended = true
	return nil
}

// stopped judges why a scan ended before the log did.
func (c *logCheck) stopped(err error) error {
	d, damaged := errors.AsType[*eventlog.Damage](err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return events.Errorf(events.CodeUnavailable, "verify %s: the log was changed while it was read: %w; verify again", c.report.Path, err)
	case !damaged && errors.Is(err, events.ErrCorrupt):
		c.report.find(FindingDamage, nil, "%v", err)
	case !damaged:
		return err
	case d.Unfinished && d.Seq <= c.durable:
		c.report.find(FindingDamage, placeOf(d), "%s; seq %d was durable", d.Reason, c.durable)
	case d.Unfinished && c.report.HeldBy != "":
		c.ended = true
		c.report.notChecked("%v: it may be a write under way", d)
	case d.Unfinished:
		c.report.find(FindingUnfinished, placeOf(d), "%s; it may be a write that was cut short, which the next opening takes out and keeps aside", d.Reason)
	default:
		c.report.find(FindingDamage, placeOf(d), "%s; nothing after it was checked", d.Reason)
	}
	return nil
}

func placeOf(d *eventlog.Damage) *Place {
	return &Place{Segment: d.Segment, Seq: d.Seq, Byte: d.Offset}
}

// frame checks one record.
func (c *logCheck) frame(at eventlog.Located) {
	r := c.report
	if r.Records == 0 {
		r.FirstSeq = at.Seq
		c.check(events.Head{Seq: at.Seq - 1, Hash: at.Prev})
	} else if at.Time < c.last.Time {
		r.find(FindingTime, place(at), "the record's time %s is before that of the record before it, %s", at.Time, c.last.Time)
	}
	if at.Segment != c.last.Segment {
		r.Segments++
	}
	r.Records++
	r.Bytes += int64(len(at.Bytes))
	r.Head = events.Head{Seq: at.Seq, Hash: at.Hash}
	c.check(r.Head)
	c.record(at)
	at.Bytes = nil
	c.last = at
}

func place(at eventlog.Located) *Place {
	return &Place{Segment: at.Segment, Seq: at.Seq, Byte: at.Offset}
}

// record checks what the frame holds.
func (c *logCheck) record(at eventlog.Located) {
	rec, err := at.RecordBy(&c.decoder)
	if err != nil {
		c.sound = false
		c.report.find(FindingRecord, place(at), "%v", err)
		return
	}
	c.report.Events += uint64(len(rec.Facts))
	if c.types != nil {
		for i := range rec.Facts {
			c.types[rec.Facts[i].Event.Type().String()]++
		}
	}
	// Each schema version has one encoding, and there is one version of each
	// type so far: what is written for the record today is what must stand here.
	c.buf, err = events.AppendRecord(c.buf[:0], rec)
	if err != nil {
		c.report.find(FindingEncoding, place(at), "%v", err)
	} else if !bytes.Equal(c.buf, at.Encoded()) {
		c.report.find(FindingEncoding, place(at), "the record is not in its canonical encoding: no metalog wrote it like this")
	}
	switch e := rec.Facts[0].Event.(type) {
	case *events.EpochStarted:
		c.report.LogID, c.report.Epoch = e.LogID, e.Epoch
	case *events.DigestRecorded:
		c.digest(at, e)
	}
}

// digest checks a digest that the log has against the views, if they are at its
// seq. Those of other seqs take a rebuild.
func (c *logCheck) digest(at eventlog.Located, e *events.DigestRecorded) {
	if e.At != at.Seq-1 {
		c.report.find(FindingDigest, place(at), "the digest is said to be of seq %d", e.At)
	}
	own := c.report.Views
	if own != nil && own.Seq == e.At && e.SchemaVersion == views.SchemaVersion && own.Digest != e.Digest {
		c.report.find(FindingDigest, place(at), "the log notes digest %s, the views have %s", e.Digest, own.Digest)
	}
}

// check compares a head that the log has with what is claimed of its seq.
func (c *logCheck) check(head events.Head) {
	for _, claim := range c.claims[head.Seq] {
		if claim.Hash != head.Hash {
			c.report.find(claim.kind, nil, "seq %d has hash %s, %s has %s: the log was altered at this seq or before it, or is another one", head.Seq, head.Hash, claim.by, claim.Hash)
		}
	}
	delete(c.claims, head.Seq)
}

// unmet tells of the claims that the log has nothing for.
func (c *logCheck) unmet() {
	for _, seq := range slices.Sorted(maps.Keys(c.claims)) {
		for _, claim := range c.claims[seq] {
			c.unmetClaim(claim)
		}
	}
}

func (c *logCheck) unmetClaim(claim claim) {
	r := c.report
	switch {
	case claim.Seq < r.FirstSeq && claim.kind == FindingSnapshot:
		r.notChecked("%s against the log, which starts at seq %d", claim.by, r.FirstSeq)
	case claim.Seq < r.FirstSeq:
		r.find(claim.kind, nil, "seq %d of %s is not in the log any more, which starts at %d; check it where the archive is", claim.Seq, claim.by, r.FirstSeq)
	case c.ended:
		r.find(FindingLost, nil, "the log ends at seq %d, but %s is at seq %d: records were lost", r.Head.Seq, claim.by, claim.Seq)
	case claim.kind == FindingHead:
		r.find(claim.kind, nil, "seq %d of %s can't be checked: the log can be read up to seq %d only", claim.Seq, claim.by, r.Head.Seq)
	default:
		r.notChecked("%s against the log, which can be read up to seq %d only", claim.by, r.Head.Seq)
	}
}
