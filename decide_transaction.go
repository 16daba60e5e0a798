package metalog

import (
	"errors"
	"fmt"

	"github.com/metalog/metalog/events"
)

// Producer names who acts in a transaction: a transactional id, the producer id
// that it uses, and the epoch under which it does.
type Producer struct {
	TransactionalID string `json:"transactional_id" require:"true"`
	ProducerID      int64  `json:"producer_id" require:"true"`
	ProducerEpoch   int16  `json:"producer_epoch"`
}

// BeginTransaction begins a transaction. A producer with an older id or epoch
// than the transactional id has seen is ErrFenced.
type BeginTransaction struct {
	Producer
	TimeoutMs int32 `json:"timeout_ms,omitempty"` // 0: 60,000, as Kafka
}

// PrepareTransaction decides how the transaction ends.
type PrepareTransaction struct {
	Producer
	Outcome TransactionOutcome `json:"outcome" require:"true"`
}

// TransactionOutcome is how a transaction ends.
type TransactionOutcome string

// The outcomes of a transaction.
const (
	OutcomeCommit TransactionOutcome = "commit"
	OutcomeAbort  TransactionOutcome = "abort"
)

// CommitTransaction ends a transaction that is prepared to commit.
type CommitTransaction struct{ Producer }

// AbortTransaction ends a transaction that is ongoing or prepared to abort.
type AbortTransaction struct {
	Producer
	TimedOut bool `json:"timed_out,omitempty"` // only if its timeout is over: ErrConflict before
}

// FenceProducer raises the epoch of a transactional id's producer, so that
// whoever holds the present one is refused, and aborts what it has ongoing.
type FenceProducer struct {
	TransactionalID string `json:"transactional_id" require:"true"`
}

func (BeginTransaction) Op() string   { return "txn.begin" }
func (PrepareTransaction) Op() string { return "txn.prepare" }
func (CommitTransaction) Op() string  { return "txn.commit" }
func (AbortTransaction) Op() string   { return "txn.abort" }
func (FenceProducer) Op() string      { return "txn.fence" }

func (p Producer) validate() error {
	var v checks
	v.producer(p)
	return v.err
}

func (c *checks) producer(p Producer) {
	c.text("transactional_id", p.TransactionalID, MaxTransactionalID)
	c.atLeast("producer_id", p.ProducerID, 0)
	c.atLeast("producer_epoch", int64(p.ProducerEpoch), 0)
}

func (c BeginTransaction) validate() error {
	var v checks
	v.producer(c.Producer)
	v.atLeast("timeout_ms", int64(c.TimeoutMs), 0)
	return v.err
}

func (c PrepareTransaction) validate() error {
	var v checks
	v.producer(c.Producer)
	if c.Outcome != OutcomeCommit && c.Outcome != OutcomeAbort {
		v.fail("outcome", "%q is not known; it is commit or abort", c.Outcome)
	}
	return v.err
}

func (c FenceProducer) validate() error {
	var v checks
	v.text("transactional_id", c.TransactionalID, MaxTransactionalID)
	return v.err
}

func (c BeginTransaction) decide(d *decision) error {
	row, err := d.view.TransactionRow(c.TransactionalID)
	exists, err := d.exists(transactionLabel(c.TransactionalID), row.Revision, err)
	if err != nil {
		return err
	}
	if exists && row.State.Open() {
		return events.Errorf(events.CodeConflict, "%s: it has a transaction in state %s; end that first", transactionLabel(c.TransactionalID), row.State)
	}
	if exists && older(c.Producer, row.TransactionRef) {
		return fenced(row, c.Producer)
	}
	if err := d.producerIsFree(c.Producer); err != nil {
		return err
	}
	timeout := c.TimeoutMs
	if timeout == 0 {
		timeout = 60_000
	}
	d.emit(&events.TransactionBegun{TransactionRef: events.TransactionRef(c.Producer), TimeoutMs: timeout})
	return nil
}

// older reports whether p was overtaken: ids are allocated upwards, and an id's
// epoch is raised to fence who has it.
func older(p Producer, present events.TransactionRef) bool {
	return p.ProducerID < present.ProducerID ||
		p.ProducerID == present.ProducerID && p.ProducerEpoch < present.ProducerEpoch
}

// producerIsFree rejects a producer id that nobody was given, or that another
// transactional id uses.
func (d *decision) producerIsFree(p Producer) error {
	next, err := d.view.NextProducerID()
	if err != nil {
		return err
	}
	if p.ProducerID >= next {
		return events.Errorf(events.CodeOutOfRange, "producer id %d was never allocated, the next is %d; 'metalog producer allocate-ids' allocates some", p.ProducerID, next)
	}
	owner, err := d.view.TransactionByProducer(p.ProducerID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil && owner.TransactionalID != p.TransactionalID {
		err = events.Errorf(events.CodeConflict, "producer id %d is that of %s; use one that was allocated for this one", p.ProducerID, transactionLabel(owner.TransactionalID))
	}
	return err
}

func (c PrepareTransaction) decide(d *decision) error {
	row, err := d.transaction(c.Producer)
	if err != nil {
		return err
	}
	wanted := events.TransactionPrepareAbort
	if c.Outcome == OutcomeCommit {
		wanted = events.TransactionPrepareCommit
	}
	switch row.State {
	case wanted:
		return nil
	case events.TransactionOngoing:
		d.emit(&events.TransactionPrepared{TransactionRef: row.TransactionRef, Commit: c.Outcome == OutcomeCommit})
		return nil
	}
	return wrongState(row, "be prepared to "+string(c.Outcome), "Ongoing")
}

func (c CommitTransaction) decide(d *decision) error {
	row, err := d.transaction(c.Producer)
	if err != nil {
		return err
	}
	switch row.State {
	case events.TransactionCompleteCommit:
		return nil
	case events.TransactionPrepareCommit:
	default:
		return wrongState(row, "be committed", "PrepareCommit")
	}
	return d.deriveAll(d.emit(&events.TransactionCommitted{TransactionRef: row.TransactionRef}), promoted(d.view, row))
}

func (c AbortTransaction) decide(d *decision) error {
	row, err := d.transaction(c.Producer)
	if err != nil {
		return err
	}
	switch row.State {
	case events.TransactionCompleteAbort:
		return nil
	case events.TransactionOngoing, events.TransactionPrepareAbort:
	default:
		return wrongState(row, "be aborted", "Ongoing or PrepareAbort")
	}
	if deadline := row.StartedAt + events.Time(row.TimeoutMs)*1e6; c.TimedOut && d.now < deadline {
		return events.Errorf(events.CodeConflict, "%s: it times out at %s, not yet", transactionLabel(c.TransactionalID), deadline)
	}
	return d.deriveAll(d.emit(&events.TransactionAborted{TransactionRef: row.TransactionRef, TimedOut: c.TimedOut}), dropped(d.view, row))
}

func (c FenceProducer) decide(d *decision) error {
	row, err := d.view.TransactionRow(c.TransactionalID)
	if err := d.found(transactionLabel(c.TransactionalID), row.Revision, err); err != nil {
		return err
	}
	switch {
	case row.State == events.TransactionPrepareCommit:
		return wrongState(row, "be fenced", "anything but PrepareCommit: it is decided that it commits")
	case row.ProducerEpoch == 1<<15-1:
		return events.Errorf(events.CodeOutOfRange, "%s: its producer's epochs are used up; begin the next transaction with a new producer id", transactionLabel(c.TransactionalID))
	}
	next := row.TransactionRef
	next.ProducerEpoch++
	root := d.emit(&events.ProducerFenced{TransactionRef: next})
	if !row.State.Open() {
		return nil
	}
	return d.deriveAll(d.derive(root, &events.TransactionAborted{TransactionRef: next}), dropped(d.view, row))
}

// transaction finds the transaction that the command is about, for a producer
// that is not fenced.
func (d *decision) transaction(p Producer) (events.Transaction, error) {
	row, err := d.view.TransactionRow(p.TransactionalID)
	if err := d.found(transactionLabel(p.TransactionalID), row.Revision, err); err != nil {
		return row, err
	}
	if p.ProducerID != row.ProducerID || p.ProducerEpoch != row.ProducerEpoch {
		return row, fenced(row, p)
	}
	return row, nil
}

func (d *decision) ongoing(p Producer) (events.Transaction, error) {
	row, err := d.transaction(p)
	if err == nil && row.State != events.TransactionOngoing {
		err = wrongState(row, "be added to", "Ongoing")
	}
	return row, err
}

func fenced(row events.Transaction, p Producer) error {
	return events.Errorf(events.CodeFenced, "%s: producer id %d with epoch %d is fenced, the present one is %d with epoch %d", transactionLabel(p.TransactionalID), p.ProducerID, p.ProducerEpoch, row.ProducerID, row.ProducerEpoch)
}

func wrongState(row events.Transaction, what, wanted string) error {
	return events.Errorf(events.CodeConflict, "%s: in state %s it can't %s; it must be %s", transactionLabel(row.TransactionalID), row.State, what, wanted)
}

func transactionLabel(id string) string { return fmt.Sprintf("transactional id %q", id) }
