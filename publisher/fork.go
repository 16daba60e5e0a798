package publisher

import (
	"fmt"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/logread"
)

// check tells whether the server's log has the record that the views are at, as
// far as its state shows.
func (r *Replica) check(at events.Head, server logread.State) error {
	if err := r.checkLog(server); err != nil {
		return err
	}
	switch {
	case server.Head.Seq < at.Seq:
		return r.fork(at, server, events.Hash{})
	case server.Head.Seq == at.Seq && server.Head.Hash != at.Hash:
		return r.fork(at, server, server.Head.Hash)
	case server.First > at.Seq+1:
		return events.Errorf(events.CodeOutOfRange, "replica %s is at seq %d, the server's log starts at %d: what is between is not there any more; start the replica again, and it begins with a snapshot", r.dir, at.Seq, server.First)
	}
	return nil
}

// checkLog tells whether the server has the replica's log.
func (r *Replica) checkLog(server logread.State) error {
	if r.options.LogID == server.LogID {
		return nil
	}
	return events.Errorf(events.CodeConflict, "replica %s is of log %s, the server of cluster %q has log %s; follow the right server, or remove the directory to begin anew", r.dir, r.options.LogID, r.options.Cluster, server.LogID)
}

// checkFrames tells whether the frames follow at, and each other.
func (r *Replica) checkFrames(at events.Head, server logread.State, frames []eventlog.Frame) error {
	for i, f := range frames {
		switch {
		case f.Seq != at.Seq+1:
			return events.Errorf(events.CodeCorrupt, "replica %s: the server sent record %d after record %d", r.dir, f.Seq, at.Seq)
		case f.Prev != at.Hash && i == 0:
			return r.fork(at, server, f.Prev)
		case f.Prev != at.Hash:
			return events.Errorf(events.CodeCorrupt, "replica %s: the server's record %d does not follow its record %d; verify its log with 'metalog verify'", r.dir, f.Seq, at.Seq)
		}
		at = events.Head{Seq: f.Seq, Hash: f.Hash}
	}
	return nil
}

// fork tells that the server has another record at.Seq, with hash found, or, when
// that is zero, none. Nothing is decided by the replica: its operator looks at
// what it has.
func (r *Replica) fork(at events.Head, server logread.State, found events.Hash) error {
	has := fmt.Sprintf("its record %d has hash %s", at.Seq, found)
	if found == (events.Hash{}) {
		has = fmt.Sprintf("it ends at seq %d", server.Head.Seq)
	}
	return &ForkError{Seen: at, streamError: streamError{events.Errorf(events.CodeCorrupt,
		"replica %s is at seq %d with hash %s (epoch %d), but of the server's log (epoch %d) %s: the histories differ; if the server is right, remove the directory, and the replica begins anew",
		r.dir, at.Seq, at.Hash, r.epoch(), server.Epoch, has)}}
}

// epoch is that of the log as the views know it, 0 when they don't.
func (r *Replica) epoch() uint64 {
	if r.db == nil {
		return 0
	}
	epoch, err := logOf(r.db)
	if err != nil {
		return 0
	}
	return epoch.Epoch
}
