package replay

import (
	"strconv"
	"strings"

	"github.com/metalog/metalog/events"
)

// EventRef names the events of a record, SEQ, or one of them, SEQ.INDEX. The zero
// EventRef names none.
type EventRef struct {
	Seq   uint64
	Index int  // counts when One is set
	One   bool // it names one event, not all of the record
}

func (r EventRef) String() string {
	if !r.One {
		return strconv.FormatUint(r.Seq, 10)
	}
	return events.Position{Seq: r.Seq, Index: r.Index}.String()
}

// ParseEventRef reads SEQ or SEQ.INDEX.
func ParseEventRef(s string) (EventRef, error) {
	seq, index, one := strings.Cut(s, ".")
	r := EventRef{One: one}
	var err error
	if r.Seq, err = strconv.ParseUint(seq, 10, 64); err == nil && one {
		var n uint64
		n, err = strconv.ParseUint(index, 10, 16)
		r.Index = int(n)
	}
	if err != nil || r.Seq == 0 {
		return EventRef{}, events.Errorf(events.CodeInvalid, "%q names no event; give SEQ or SEQ.INDEX, such as 42 or 42.3", s)
	}
	return r, nil
}

// MarshalText gives the form of String.
func (r EventRef) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what ParseEventRef reads.
func (r *EventRef) UnmarshalText(text []byte) (err error) {
	*r, err = ParseEventRef(string(text))
	return err
}

// names reports whether the event at a position is meant; nil is none.
func (r EventRef) names(at *events.Position) bool {
	return at != nil && at.Seq == r.Seq && (!r.One || at.Index == r.Index)
}
