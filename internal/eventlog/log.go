package eventlog

import "context"

// Log is an append-only sequence of records. What it shows is durable: a record
// that Head, Records or Frames has told of survives any crash.
//
// All methods are safe for concurrent use. Reads don't wait for appends, nor
// for each other.
type Log interface {
	// Reader shows durable records only. Reads go on when appending has stopped
	// after an error.
	Reader

	// Append adds the group's records; on return they are durable and visible.
	// The log keeps nothing of g. An error tells what became of them:
	//   - ErrConflict: g does not follow Head. Nothing was written.
	//   - ErrUnavailable: nothing was written, and no crash will show it. The
	//     log may have stopped; a full disk alone does not stop it.
	//   - ErrOutcomeUnknown: after a reopen they may be there, from the first
	//     up to any of them. The log has stopped.
	// A stopped log refuses every later Append with ErrUnavailable until it is
	// closed and opened again, which repairs it.
	Append(g *Group) error

	// Room returns nil when that many bytes more leave the disk's reserve alone,
	// else ErrUnavailable: who asks first need not have an append refused.
	Room(bytes int64) error

	// Wait returns nil once Head().Seq is at least seq. It ends with
	// ErrUnavailable when the log is closed or stopped before that, and with
	// ctx's error.
	Wait(ctx context.Context, seq uint64) error

	// Close ends appends, waits and new reads; reads that have begun may finish.
	// Nothing is lost without it, but opening is quicker and stricter after it.
	Close() error
}
