package crash

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/metalog/metalog/events"
)

// kind is the first word of a report.
type kind string

const (
	tried       kind = "TRIED"       // id: the command will be given now
	done        kind = "DONE"        // id seq: it was appended
	repeated    kind = "REPEATED"    // id seq: it was appended before
	unchanged   kind = "UNCHANGED"   // id seq: there was nothing to do at seq
	refused     kind = "REFUSED"     // id: it was rejected
	unavailable kind = "UNAVAILABLE" // id: it was not done
	unknown     kind = "UNKNOWN"     // id: it may or may not be done

	shown   kind = "SHOWN"   // seq hash: a read has seen this head
	opening kind = "OPENING" // the store is being opened
	filled  kind = "FILLED"
	ended   kind = "ENDED"  // the workers are done; reads went on
	failed  kind = "FAILED" // text: something that must not be
)

// outcome is the last that was heard of a command.
type outcome struct {
	kind kind
	seq  uint64
}

// history is what the children of one data directory have reported.
type history struct {
	commands map[commandID]outcome
	shown    map[uint64]events.Hash // heads that reads have seen
	reached  uint64                 // the highest seq in any answer
	count    map[kind]int           // of the last child's reports
	problems []string

	// late: reports come from after the disk's power was cut. What was done then
	// may be gone; see cutAfter.
	late bool
}

func newHistory() *history {
	return &history{commands: map[commandID]outcome{}, shown: map[uint64]events.Hash{}, count: map[kind]int{}}
}

func (h *history) problem(format string, args ...any) {
	h.problems = append(h.problems, fmt.Sprintf(format, args...))
}

// add takes a report.
func (h *history) add(line string) kind {
	word, rest, _ := strings.Cut(line, " ")
	k := kind(word)
	h.count[k]++
	switch k {
	case opening, filled, ended:
	case failed:
		h.problem("child: %s", rest)
	case shown:
		if !h.late {
			h.addShown(rest)
		}
	default:
		h.addAnswer(k, rest)
	}
	return k
}

func (h *history) addShown(rest string) {
	var seq uint64
	var text string
	var hash events.Hash
	if _, err := fmt.Sscan(rest, &seq, &text); err != nil {
		h.problem("report %q: %v", rest, err)
		return
	}
	if err := hash.UnmarshalText([]byte(text)); err != nil {
		h.problem("report %q: %v", rest, err)
		return
	}
	if old, ok := h.shown[seq]; ok && old != hash {
		h.problem("seq %d was shown with hash %s, and before with %s", seq, hash, old)
	}
	h.shown[seq] = hash
}

func (h *history) addAnswer(k kind, rest string) {
	var text string
	var seq uint64
	_, err := fmt.Sscan(rest, &text, &seq)
	if err != nil {
		h.problem("report %q: %v", rest, err)
		return
	}
	id, err := parseCommandID(text)
	if err != nil {
		h.problem("report %q: %v", rest, err)
		return
	}
	o := outcome{k, seq}
	if h.late && k == done {
		o = outcome{kind: unknown}
	} else if h.late {
		o.seq = 0
	}
	h.answer(id, o)
}

// answer takes what a command was told. It must go with what it was told before.
func (h *history) answer(id commandID, o outcome) {
	before := h.commands[id]
	if before.kind == done && o != (outcome{repeated, before.seq}) {
		h.problem("command %s was done as seq %d, and now it is %s %d", id, before.seq, o.kind, o.seq)
	}
	if o.kind == repeated && before.kind != done {
		o.kind = done // as an unanswered one, or one of unknown outcome
	}
	if o.kind != repeated {
		h.commands[id] = o
	}
	h.reached = max(h.reached, o.seq)
}

// ids lists the commands, in the order of their ids.
func (h *history) ids() []commandID {
	return slices.SortedFunc(maps.Keys(h.commands), func(a, b commandID) int {
		if a.worker != b.worker {
			return a.worker - b.worker
		}
		return a.n - b.n
	})
}

// contents is what is of interest in a log.
type contents struct {
	seqs   map[commandID][]uint64 // records of the load, by command
	hashes []events.Hash          // of record seq at seq-1
}

// read adds the records that c does not have yet.
func (c *contents) read(ctx context.Context, log events.Reader) error {
	for rec, err := range log.Records(ctx, uint64(len(c.hashes))+1) {
		if err != nil {
			return err
		}
		c.hashes = append(c.hashes, rec.Hash)
		if rec.Meta.Actor != actor {
			continue
		}
		id, err := parseCommandID(rec.Meta.CommandID)
		if err != nil {
			return fmt.Errorf("seq %d: %w", rec.Seq, err)
		}
		c.seqs[id] = append(c.seqs[id], rec.Seq)
	}
	return nil
}

// check holds a log against the reports, and returns all that must not be.
func (h *history) check(log contents) []string {
	for _, id := range h.ids() {
		h.checkCommand(id, h.commands[id], log.seqs[id])
	}
	for id := range log.seqs {
		if _, ok := h.commands[id]; !ok {
			h.problem("command %s is in the log, and nobody gave it", id)
		}
	}
	for seq, hash := range h.shown {
		if seq > uint64(len(log.hashes)) || seq > 0 && log.hashes[seq-1] != hash {
			h.problem("seq %d was shown with hash %s, and the log has another one or none", seq, hash)
		}
	}
	if end := uint64(len(log.hashes)); h.reached > end {
		h.problem("an answer told of seq %d, and the log ends at %d", h.reached, end)
	}
	return h.problems
}

func (h *history) checkCommand(id commandID, o outcome, seqs []uint64) {
	switch {
	case len(seqs) > 1:
		h.problem("command %s is in the log %d times: %v", id, len(seqs), seqs)
	case o.kind == done && !slices.Equal(seqs, []uint64{o.seq}):
		h.problem("command %s was done as seq %d, and the log has it at %v", id, o.seq, seqs)
	case o.kind == tried, o.kind == unknown, o.kind == done:
	case len(seqs) > 0:
		h.problem("command %s was %s, and the log has it at %v", id, o.kind, seqs)
	}
}
