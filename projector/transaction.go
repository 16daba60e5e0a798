package projector

import "github.com/metalog/metalog/events"

func (a application) transactionBegun(e *events.TransactionBegun) error {
	return a.putTransaction(events.Transaction{
		TransactionRef: e.TransactionRef, State: events.TransactionOngoing, TimeoutMs: e.TimeoutMs, StartedAt: a.time(),
	})
}

func (a application) putTransaction(txn events.Transaction) error {
	txn.UpdatedAt, txn.Revision = a.time(), a.seq()
	return a.tx.PutTransaction(txn)
}

// changeTransaction changes the row of a transaction that is there.
func (a application) changeTransaction(ref events.TransactionRef, change func(*events.Transaction)) error {
	txn, err := a.tx.TransactionRow(ref.TransactionalID)
	if err != nil {
		return err
	}
	change(&txn)
	return a.putTransaction(txn)
}

func (a application) transactionPartitionsAdded(e *events.TransactionPartitionsAdded) error {
	for _, ref := range e.Partitions {
		if err := a.tx.AddTransactionPartition(e.ProducerID, ref); err != nil {
			return err
		}
	}
	return a.changeTransaction(e.TransactionRef, func(*events.Transaction) {})
}

func (a application) transactionOffsetsAdded(e *events.TransactionOffsetsAdded) error {
	if err := a.tx.AddTransactionGroup(e.ProducerID, events.GroupRef{ID: e.Group, GroupID: e.GroupID}); err != nil {
		return err
	}
	return a.changeTransaction(e.TransactionRef, func(*events.Transaction) {})
}

// transactionOffsetsCommitted counts what was committed before for the same
// partition again: the bound that the counts serve is a coarse one.
func (a application) transactionOffsetsCommitted(e *events.TransactionOffsetsCommitted) error {
	for _, offset := range e.Offsets {
		if err := a.tx.PutPendingOffset(e.ProducerID, offset); err != nil {
			return err
		}
	}
	size, err := e.EndBytes()
	if err != nil {
		return err
	}
	return a.changeTransaction(e.TransactionRef, func(txn *events.Transaction) {
		txn.PendingCount += int64(len(e.Offsets))
		txn.PendingBytes += size
	})
}

func (a application) transactionPrepared(e *events.TransactionPrepared) error {
	return a.changeTransaction(e.TransactionRef, func(txn *events.Transaction) {
		txn.State = events.TransactionPrepareAbort
		if e.Commit {
			txn.State = events.TransactionPrepareCommit
		}
	})
}

// transactionEnded lets go of all that hung on the transaction. The derived
// events that follow say what became of its pending offsets.
func (a application) transactionEnded(ref events.TransactionRef, state events.TransactionState) error {
	if err := a.tx.ClearTransaction(ref.ProducerID); err != nil {
		return err
	}
	return a.changeTransaction(ref, func(txn *events.Transaction) {
		txn.State, txn.PendingCount, txn.PendingBytes = state, 0, 0
	})
}

func (a application) producerFenced(e *events.ProducerFenced) error {
	return a.changeTransaction(e.TransactionRef, func(txn *events.Transaction) {
		txn.ProducerEpoch = e.ProducerEpoch
	})
}

// transactionOffsetDropped removes a pending offset, unless its transaction's
// end, earlier in the same record, has removed it.
func (a application) transactionOffsetDropped(e *events.TransactionOffsetDropped) error {
	txn, err := a.tx.TransactionRow(e.TransactionalID)
	if err != nil {
		return err
	}
	if !txn.State.Open() || txn.ProducerID != e.ProducerID {
		return nil
	}
	return a.tx.DeletePendingOffset(e.ProducerID, e.Offset)
}
