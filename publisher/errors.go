package publisher

import "github.com/metalog/metalog/events"

// What ends a subscription or a replica, and needs somebody to decide, has a type
// of its own, for errors.As. Each has a code as well, and a text that says what to do.

// streamError is the part that they share.
type streamError struct{ err *events.Error }

func (e streamError) Error() string { return e.err.Error() }
func (e streamError) Unwrap() error { return e.err }

// RangeError: where the subscriber wants to begin is not in the stream.
// ErrOutOfRange.
type RangeError struct {
	Want     events.Position
	First    events.Position // that the stream has
	Next     events.Position // after its last event
	Snapshot uint64          // seq of the newest snapshot on offer, 0 for none
	streamError
}

// GapError: events are missing in the stream, and the publisher has not filled
// it again. ErrCorrupt.
type GapError struct {
	Want events.Position
	Have events.Position // what came instead
	streamError
}

// ForkError: the history that the subscriber or replica has seen is not the log's
// any more. The log was repaired, or put back from a backup, and other records
// took the place of those that it had lost. ErrCorrupt.
type ForkError struct {
	Seen events.Head // the last record of who is told
	// Kept is the last record that both histories are known to share, 0 when it is
	// not known.
	Kept uint64
	streamError
}

func gap(want, have events.Position) *GapError {
	return &GapError{want, have, streamError{events.Errorf(events.CodeCorrupt,
		"events from %s to %s are missing in the stream; subscribe again from %s when the publisher has filled it again", want, have, want)}}
}

func fork(seen events.Head, kept uint64, format string, args ...any) *ForkError {
	return &ForkError{seen, kept, streamError{events.Errorf(events.CodeCorrupt,
		"record %d that was read before is not in the log any more ("+format+"); drop what was made of it, and start anew from a snapshot",
		append([]any{seen.Seq}, args...)...)}}
}
