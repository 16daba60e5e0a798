package metalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// undoID is the command id of the part-th record of an undo. By it and its cause
// the log tells which records undid what, however long ago, and whether that was
// all.
func undoID(seq uint64, part int, last bool) string {
	id := fmt.Sprintf("undo/%d/%d", seq, part)
	if last {
		id += "/last"
	}
	return id
}

// undoOf returns which record a record undoes, the how manieth of that undo's
// records it is, and whether it is the last; 0 for a record that undoes nothing.
func undoOf(rec *events.Record) (seq uint64, part int, last bool) {
	id, last := strings.CutSuffix(rec.Meta.CommandID, "/last")
	n, err := fmt.Sscanf(id, "undo/%d/%d", &seq, &part)
	cause := rec.Meta.Cause
	if n != 2 || err != nil || cause == nil || cause.Seq != seq || rec.Meta.CommandID != undoID(seq, part, last) {
		return 0, 0, false
	}
	return seq, part, last
}

// continues reports whether a record is a further one of a cascade that one of
// seqs began.
func continues(rec *events.Record, seqs map[uint64]bool) bool {
	first := rec.Facts[0]
	return rec.Meta.Cause != nil && first.Derived && first.Cause == events.NoCause && seqs[rec.Meta.Cause.Seq]
}

// undone is what is to be undone: a record, and those that carry on with it.
type undone struct {
	root  *events.Record
	seqs  map[uint64]bool
	facts []events.Fact // of all its records
}

// readUndone reads the record of a seq with the rest of its cascade, or of its
// undo.
func (s *Store) readUndone(ctx context.Context, seq uint64) (*undone, error) {
	if head := s.history.Head().Seq; seq == 0 || seq > head {
		return nil, events.Errorf(events.CodeOutOfRange, "undo of seq %d: the log's records are %d to %d; give one of them", seq, s.history.First(), head)
	}
	u := &undone{seqs: map[uint64]bool{seq: true}}
	for rec, err := range s.history.Records(ctx, seq) {
		if err != nil {
			return nil, err
		}
		switch {
		case rec.Seq == seq:
			if err := u.begin(rec); err != nil || !u.hasMore() {
				return u, err
			}
		case u.isPart(rec):
			u.seqs[rec.Seq] = true
			u.facts = append(u.facts, rec.Facts...)
			if u.completedBy(rec) {
				return u, nil
			}
		}
	}
	return u, nil
}

// begin takes the first record, which must not carry on with an earlier one.
func (u *undone) begin(rec *events.Record) error {
	u.root, u.facts = rec, rec.Facts
	if cause := rec.Meta.Cause; cause != nil && continues(rec, map[uint64]bool{cause.Seq: true}) {
		return events.Errorf(events.CodeInvalid, "seq %d: it carries on with the cascade of seq %d; undo that one", rec.Seq, cause.Seq)
	}
	if of, part, _ := undoOf(rec); part > 1 {
		return events.Errorf(events.CodeInvalid, "seq %d: it carries on with the undo of seq %d; undo the first record of that ('metalog undo %d --dry-run' names it)", rec.Seq, of, of)
	}
	return nil
}

// hasMore reports whether further records may belong to the first one.
func (u *undone) hasMore() bool {
	_, part, last := undoOf(u.root)
	return part == 1 && !last || events.ResultOf(u.root).Continues
}

func (u *undone) isPart(rec *events.Record) bool {
	if continues(rec, u.seqs) {
		return true
	}
	of, part, _ := undoOf(u.root)
	recOf, recPart, _ := undoOf(rec)
	return part == 1 && recOf == of && recPart > 1
}

// completedBy reports whether nothing of the undone can follow a record. Of an
// undo with a cascade that is not told.
func (u *undone) completedBy(rec *events.Record) bool {
	if _, part, _ := undoOf(u.root); part != 0 {
		_, _, last := undoOf(rec)
		return last && !events.ResultOf(rec).Continues
	}
	return isCompletion(rec.Facts[len(rec.Facts)-1].Event)
}

// isCompletion reports whether an event is the last one of a cascade that took
// several records.
func isCompletion(e events.Event) bool {
	switch e.(type) {
	case *events.TopicPurged, *events.CascadeCompleted:
		return true
	}
	return false
}

// remade are the topics and groups that an undo has created again, by the ids that
// they had before.
type remade struct {
	Topics map[uuid.UUID]events.TopicRef
	Groups map[uint64]events.GroupRef
}

func newRemade() remade {
	return remade{Topics: map[uuid.UUID]events.TopicRef{}, Groups: map[uint64]events.GroupRef{}}
}

// now returns a target with the ids that its topic and group have now.
func (m remade) now(t target) target {
	if ref, ok := m.Topics[t.Topic.ID]; ok {
		t.Topic = ref
	}
	if ref, ok := m.Groups[t.Group.GroupID]; ok {
		t.Group = ref
	}
	return t
}

// before returns a target with the ids that its topic and group had before.
func (m remade) before(t target) target {
	for old, ref := range m.Topics {
		if t.Topic == ref {
			t.Topic.ID = old
		}
	}
	for old, ref := range m.Groups {
		if t.Group == ref {
			t.Group.GroupID = old
		}
	}
	return t
}

// touch tells that a later record changed a target.
type touch struct {
	first, last uint64
	count       int
	event       string // of first
}

func (t *touch) add(seq uint64, e events.Event) {
	if t.count++; t.count == 1 {
		t.first, t.event = seq, e.Type().String()
	}
	t.last = seq
}

// aftermath is what the log says after the record that is to be undone: earlier
// undos of it, and what others did to its targets.
type aftermath struct {
	of      *undone
	targets map[target]bool // to look for, marks too

	parts   []uint64        // records of earlier undos
	whole   bool            // they brought all back
	own     map[uint64]bool // those, and what carries on with their cascades
	made    remade
	done    map[target]bool // brought back already
	touched map[target]*touch
	undone  uint64 // the record that undid an earlier undo; 0: none
}

func newAftermath(of *undone, targets map[target]bool) *aftermath {
	return &aftermath{
		of: of, targets: targets, own: map[uint64]bool{}, made: newRemade(),
		done: map[target]bool{}, touched: map[target]*touch{},
	}
}

// read reads the records from a seq to another.
func (a *aftermath) read(ctx context.Context, log events.Reader, from, to uint64) error {
	if from > to {
		return nil
	}
	for rec, err := range log.Records(ctx, from) {
		if err != nil {
			return err
		}
		if rec.Seq > to {
			break
		}
		a.take(rec)
	}
	return nil
}

func (a *aftermath) take(rec *events.Record) {
	of, _, last := undoOf(rec)
	switch {
	case a.of.seqs[rec.Seq]:
	case of == a.of.root.Seq:
		a.parts = append(a.parts, rec.Seq)
		a.whole = a.whole || last
		a.own[rec.Seq] = true
		a.takePart(rec)
	case continues(rec, a.own):
		a.own[rec.Seq] = true
	default:
		if of != 0 && a.own[of] {
			a.undone = rec.Seq
		}
		a.takeOther(rec)
	}
}

// takePart notes what an earlier undo brought back. What it derived is noted by
// none: a step of its own may still follow for it.
func (a *aftermath) takePart(rec *events.Record) {
	for _, f := range rec.Facts {
		if f.Derived {
			continue
		}
		a.noteMade(f.Event)
		for _, t := range changedBy(f.Event) {
			a.done[a.made.before(t)] = true
		}
	}
}

// noteMade notes a topic or group that was created in the place of one of the
// targets.
func (a *aftermath) noteMade(e events.Event) {
	for t := range a.targets {
		switch e := e.(type) {
		case *events.TopicCreated:
			if t.Kind == targetTopic && t.Topic.Name == e.Name {
				a.made.Topics[t.Topic.ID] = e.TopicRef
			}
		case *events.GroupCreated:
			if t.Kind == targetGroup && t.Group.ID == e.ID {
				a.made.Groups[t.Group.GroupID] = e.GroupRef
			}
		default:
			return
		}
	}
}

func (a *aftermath) takeOther(rec *events.Record) {
	for _, f := range rec.Facts {
		for _, t := range touchedBy(f.Event) {
			if t = a.made.before(t); !a.targets[t] {
				continue
			}
			if a.touched[t] == nil {
				a.touched[t] = &touch{}
			}
			a.touched[t].add(rec.Seq, f.Event)
		}
	}
}

// isDone reports whether a target is among those that were brought back.
func isDone(done map[target]bool, t target) bool {
	return done[t] || t.Kind == targetConfig && done[t.wholeConfig()]
}
