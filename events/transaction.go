package events

import "strconv"

// TransactionState is the state of a transaction, as Kafka names it.
type TransactionState string

// The states of a transaction.
const (
	TransactionEmpty          TransactionState = "Empty" // fenced or new, nothing begun
	TransactionOngoing        TransactionState = "Ongoing"
	TransactionPrepareCommit  TransactionState = "PrepareCommit"
	TransactionPrepareAbort   TransactionState = "PrepareAbort"
	TransactionCompleteCommit TransactionState = "CompleteCommit"
	TransactionCompleteAbort  TransactionState = "CompleteAbort"
)

// Open reports whether a transaction in this state has not ended.
func (s TransactionState) Open() bool {
	return s == TransactionOngoing || s == TransactionPrepareCommit || s == TransactionPrepareAbort
}

// TransactionRef is the part of a transaction's events that names it.
type TransactionRef struct {
	TransactionalID string `cbor:"1,keyasint" json:"transactional_id"`
	ProducerID      int64  `cbor:"2,keyasint" json:"producer_id"`
	ProducerEpoch   int16  `cbor:"3,keyasint" json:"producer_epoch"`
}

// Entity names the producer.
func (r TransactionRef) Entity() EntityRef {
	return EntityRef{KindProducer, strconv.FormatInt(r.ProducerID, 10)}
}

// Transaction is the transaction that a transactional id has open, or the last
// one that it had.
type Transaction struct {
	TransactionRef
	State      TransactionState `cbor:"4,keyasint" json:"state"`
	TimeoutMs  int32            `cbor:"5,keyasint" json:"timeout_ms"`
	Partitions []PartitionRef   `cbor:"-" json:"partitions"` // kept in a view of their own
	Groups     []string         `cbor:"-" json:"groups"`     // whose offsets it may commit
	Pending    []PendingOffset  `cbor:"-" json:"pending_offsets"`
	StartedAt  Time             `cbor:"6,keyasint" json:"started_at"`
	UpdatedAt  Time             `cbor:"7,keyasint" json:"updated_at"`
	Revision   uint64           `cbor:"8,keyasint" json:"revision"`
	// What committing or aborting it emits is bounded by these: the EndBytes of
	// its pending offsets, and their number.
	PendingBytes int64 `cbor:"9,keyasint,omitempty" json:"-"`
	PendingCount int64 `cbor:"10,keyasint,omitempty" json:"-"`
}

// PendingOffset is an offset that becomes the group's when the transaction
// commits.
type PendingOffset struct {
	OffsetRef
	OffsetInfo
}

// ProducerIDsAllocated: the block of Count producer ids from FirstID is the
// caller's. No other ever gets one of them.
type ProducerIDsAllocated struct {
	FirstID int64 `cbor:"1,keyasint" json:"first_id"`
	Count   int64 `cbor:"2,keyasint" json:"count"`
}

// TransactionBegun: the transactional id has an ongoing transaction.
type TransactionBegun struct {
	TransactionRef
	TimeoutMs int32 `cbor:"4,keyasint" json:"timeout_ms"`
}

// TransactionPartitionsAdded: the transaction writes to these partitions too.
type TransactionPartitionsAdded struct {
	TransactionRef
	Partitions []PartitionRef `cbor:"4,keyasint" json:"partitions"`
}

// TransactionOffsetsAdded: the transaction may commit offsets of the group.
type TransactionOffsetsAdded struct {
	TransactionRef
	Group   string `cbor:"4,keyasint" json:"group"`
	GroupID uint64 `cbor:"5,keyasint" json:"group_id"`
}

// TransactionOffsetsCommitted: these offsets are pending: they become the
// group's when the transaction commits.
type TransactionOffsetsCommitted struct {
	TransactionRef
	Offsets []PendingOffset `cbor:"4,keyasint" json:"offsets"`
}

// EndBytes bounds what ending the transaction emits for these offsets: an
// OffsetCommitted or a TransactionOffsetDropped each.
func (e *TransactionOffsetsCommitted) EndBytes() (int64, error) {
	const besides = 48 // the rest of a TransactionRef, keys and heads
	payload, err := Marshal(e)
	return int64(len(payload) + len(e.Offsets)*(len(e.TransactionalID)+besides)), err
}

// TransactionPrepared: it is decided how the transaction ends.
type TransactionPrepared struct {
	TransactionRef
	Commit bool `cbor:"4,keyasint" json:"commit"` // false: abort
}

// TransactionCommitted: the transaction is over, its pending offsets are the
// groups' (derived OffsetCommitted events say which).
type TransactionCommitted struct {
	TransactionRef
}

// TransactionAborted: the transaction is over, its pending offsets are dropped.
type TransactionAborted struct {
	TransactionRef
	TimedOut bool `cbor:"4,keyasint,omitempty" json:"timed_out"`
}

// ProducerFenced: the producer's epoch is now ProducerEpoch; whoever holds an
// earlier one is refused.
type ProducerFenced struct {
	TransactionRef
}

// TransactionPartitionRemoved: the partition went with its topic while the
// transaction was open.
type TransactionPartitionRemoved struct {
	TransactionRef
	Partition PartitionRef `cbor:"4,keyasint" json:"partition"`
}

// TransactionOffsetDropped: a pending offset will not become the group's: the
// transaction was aborted, or its group or topic deleted.
type TransactionOffsetDropped struct {
	TransactionRef
	Offset OffsetRef `cbor:"4,keyasint" json:"offset"`
}

// Entity names the cluster: the block is nobody's yet.
func (*ProducerIDsAllocated) Entity() EntityRef { return clusterRef }

func (*ProducerIDsAllocated) Type() Type        { return TypeProducerIDsAllocated }
func (*TransactionBegun) Type() Type            { return TypeTransactionBegun }
func (*TransactionPartitionsAdded) Type() Type  { return TypeTransactionPartitionsAdded }
func (*TransactionOffsetsAdded) Type() Type     { return TypeTransactionOffsetsAdded }
func (*TransactionOffsetsCommitted) Type() Type { return TypeTransactionOffsetsCommitted }
func (*TransactionPrepared) Type() Type         { return TypeTransactionPrepared }
func (*TransactionCommitted) Type() Type        { return TypeTransactionCommitted }
func (*TransactionAborted) Type() Type          { return TypeTransactionAborted }
func (*ProducerFenced) Type() Type              { return TypeProducerFenced }
func (*TransactionPartitionRemoved) Type() Type { return TypeTransactionPartitionRemoved }
func (*TransactionOffsetDropped) Type() Type    { return TypeTransactionOffsetDropped }
