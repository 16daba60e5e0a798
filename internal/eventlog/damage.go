package eventlog

import (
	"errors"
	"fmt"

	"github.com/metalog/metalog/events"
)

// Damage is a place in a log where what should be there is not. The error that
// carries one is ErrCorrupt.
type Damage struct {
	Segment string // file name in the log directory
	Seq     uint64 // of the record that should be there
	Offset  int64  // in the segment file, in bytes
	Reason  string

	// Unfinished: this may be a group that was being written when the process
	// or the machine stopped, or is being written now; nothing after it was
	// acknowledged, as far as the log itself can tell. Set by [Scan].
	Unfinished bool

	intact bool // see defect
}

func (d *Damage) Error() string {
	return fmt.Sprintf("segment %s, seq %d, byte %d: %s", d.Segment, d.Seq, d.Offset, d.Reason)
}

// corrupt makes the error that is shown for d.
func (d *Damage) corrupt() error {
	return events.Errorf(events.CodeCorrupt, "the log is damaged: %w; see what is left with 'metalog verify' and 'metalog log repair', or restore a backup", d)
}

// damageOf gives the damage that err tells of.
func damageOf(err error) (*Damage, bool) { return errors.AsType[*Damage](err) }
