package projector

import (
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

func (a application) epochStarted(e *events.EpochStarted) error { return a.tx.SetLog(*e) }

// cascadeContinues notes that the events below this one go on in further
// records.
func (a application) cascadeContinues(continues bool, c views.Cascade) error {
	if !continues {
		return nil
	}
	c.Cause = a.here()
	return a.tx.PutCascade(c)
}

// cascadeCompleted is for the last event of a cascade, which stands in a record
// whose cause is the event that began it.
func (a application) cascadeCompleted() error {
	if a.rec.Meta.Cause == nil {
		return events.Errorf(events.CodeCorrupt, "a cascade is completed, but the record names none as its cause")
	}
	return a.tx.DeleteCascade(*a.rec.Meta.Cause)
}
