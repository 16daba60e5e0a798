package metalog

import (
	"fmt"
	"slices"

	"github.com/metalog/metalog/events"
)

// UndoOptions say what to undo.
type UndoOptions struct {
	// Seq is of the record to undo. A large cascade is undone as a whole, by the
	// seq of its first record.
	Seq uint64 `json:"seq"`
	// Force undoes it although later records changed the same things: what they did
	// is overwritten. It also takes replicas that may lack data for in sync when
	// else there were none, and takes away a broker that is still a replica.
	Force bool `json:"force,omitempty"`
}

// UndoSummary tells what an undo comes to.
type UndoSummary struct {
	Undoes UndoneRecord `json:"undoes"`
	Steps  []UndoStep   `json:"steps"`
	// EventCount and RecordCount are how many it takes; none when all is as it was before.
	// The cascade of a large deletion goes on in further records.
	EventCount  int `json:"event_count"`
	RecordCount int `json:"record_count"`
	// Differs is what is not as it was before in what comes back.
	Differs []UndoDifference `json:"differs"`
	// Lost is what does not come back.
	Lost []UndoLoss `json:"lost"`
	// Conflicts are why it is refused; with Force, what it overwrites, and what
	// keeps it back even so.
	Conflicts []UndoConflict `json:"conflicts"`
	// UndoneBy are the records of earlier undos of the same record. Steps are what
	// they left to do.
	UndoneBy []uint64 `json:"undone_by"`
}

// UndoneRecord is a record that is to be undone.
type UndoneRecord struct {
	Seq        uint64           `json:"seq"`
	Type       string           `json:"type"`   // of its first event
	Entity     events.EntityRef `json:"entity"` // of its first event
	Time       events.Time      `json:"time"`
	Actor      string           `json:"actor"`
	Reason     string           `json:"reason"`
	Records    int              `json:"records"`     // with those that carried on with it
	EventCount int              `json:"event_count"` // of them all
}

// UndoStep is events of one type about one entity.
type UndoStep struct {
	Event  string           `json:"event"`
	Entity events.EntityRef `json:"entity"`
	Count  int              `json:"count"`
}

// UndoDifference is a field of things of one kind that is not as it was.
type UndoDifference struct {
	Kind   string `json:"kind"`
	Field  string `json:"field"`
	Count  int    `json:"count"`  // of things
	First  string `json:"first"`  // one of them
	Before string `json:"before"` // of First
	After  string `json:"after"`  // new: an id that the undo draws
	Why    string `json:"why"`
}

// UndoLoss is things of one kind that don't come back.
type UndoLoss struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
	First string `json:"first"` // one of them
	Why   string `json:"why"`
}

// UndoConflict is why an undo is refused.
type UndoConflict struct {
	What    string `json:"what"`     // that was changed since, or is in the way
	Why     string `json:"why"`      //
	Seq     uint64 `json:"seq"`      // of the first record that changed it; 0: none did
	LastSeq uint64 `json:"last_seq"` // of the last one
	Changes int    `json:"changes"`  // how many there were
	Blocks  bool   `json:"blocks"`   // nothing can be planned before it is resolved
	// NeedsForce tells that force may resolve what blocks.
	NeedsForce bool `json:"needs_force"`
}

func (c UndoConflict) String() string { return c.What + ": " + c.Why }

// UndoPlan is what an undo would do now.
type UndoPlan struct {
	UndoSummary
	Events []events.EventView `json:"events"`
}

// UndoReport is what an undo has done.
type UndoReport struct {
	UndoSummary
	// Results are those of its records; none when there was nothing to undo.
	Results []Result `json:"results"`
}

func (u *undone) record() UndoneRecord {
	first := u.root.Facts[0].Event
	return UndoneRecord{
		Seq: u.root.Seq, Type: first.Type().String(), Entity: first.Entity(), Time: u.root.Time,
		Actor: u.root.Meta.Actor, Reason: u.root.Meta.Reason, Records: len(u.seqs), EventCount: len(u.facts),
	}
}

func conflictOf(t target, by *touch) UndoConflict {
	c := UndoConflict{What: t.String(), Seq: by.first, LastSeq: by.last, Changes: by.count}
	switch c.Why = fmt.Sprintf("changed since, by seq %d (%s)", by.first, by.event); {
	case by.count == 2:
		c.Why += fmt.Sprintf(" and seq %d", by.last)
	case by.count > 2:
		c.Why += fmt.Sprintf(" and %d more up to seq %d", by.count-1, by.last)
	}
	return c
}

// Refusal is the error with which the undo is refused because of its conflicts, nil
// if none keeps it back.
func (s *UndoSummary) Refusal(force bool) error {
	if len(s.Conflicts) == 0 {
		return nil
	}
	first := s.Conflicts[0]
	if i := slices.IndexFunc(s.Conflicts, func(c UndoConflict) bool { return c.Blocks }); i >= 0 {
		first = s.Conflicts[i]
	} else if force {
		return nil
	}
	message := fmt.Sprintf("undo of seq %d: %s", s.Undoes.Seq, first)
	if n := len(s.Conflicts) - 1; n > 0 {
		message += fmt.Sprintf("; and %d more, which 'metalog undo %d --dry-run' lists", n, s.Undoes.Seq)
	}
	if !first.Blocks || first.NeedsForce {
		message += "; --force does it nevertheless"
	}
	return events.Errorf(events.CodeConflict, "%s", message)
}

// stepsOf counts events by type and entity, in their order.
func stepsOf(facts []events.Fact) []UndoStep {
	list := []UndoStep{}
	at := map[UndoStep]int{}
	for _, f := range facts {
		key := UndoStep{Event: f.Event.Type().String(), Entity: f.Event.Entity()}
		i, known := at[key]
		if !known {
			i = len(list)
			at[key] = i
			list = append(list, key)
		}
		list[i].Count++
	}
	return list
}
