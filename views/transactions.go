package views

import (
	"iter"

	"github.com/metalog/metalog/events"
)

func transactionKey(id string) key { return bucketTransactions.key().string(id) }

func transactionOfProducerKey(producer int64) key {
	return bucketTransactionsByProducer.key().int64(producer)
}

// Transaction returns the transaction of a transactional id with its partitions,
// groups and pending offsets. Those of topics and groups that are gone are left
// out.
func (r *Reader) Transaction(id string) (events.Transaction, error) {
	txn, err := r.TransactionRow(id)
	if err != nil {
		return txn, err
	}
	return r.withChildren(txn)
}

// TransactionRow is Transaction without what hangs on it.
func (r *Reader) TransactionRow(id string) (events.Transaction, error) {
	txn, found, err := load[events.Transaction](r, transactionKey(id))
	if err == nil && !found {
		err = events.Errorf(events.CodeNotFound, "transactional id %q: not found; 'metalog txn list' shows the transactions", id)
	}
	return txn, err
}

// TransactionByProducer is TransactionRow by the producer's id.
func (r *Reader) TransactionByProducer(producer int64) (events.Transaction, error) {
	id, found, err := r.get(transactionOfProducerKey(producer))
	if err == nil && !found {
		err = events.Errorf(events.CodeNotFound, "transaction of producer %d: not found; 'metalog txn list' shows the transactions", producer)
	}
	if err != nil {
		return events.Transaction{}, err
	}
	return r.TransactionRow(string(id))
}

// Transactions yields all transactions in order of transactional id, with what
// hangs on them.
func (r *Reader) Transactions() iter.Seq2[events.Transaction, error] {
	return collect(rowsOf[events.Transaction](r, bucketTransactions.key()), func(txn events.Transaction) (events.Transaction, bool, error) {
		txn, err := r.withChildren(txn)
		return txn, true, err
	})
}

func (r *Reader) withChildren(txn events.Transaction) (events.Transaction, error) {
	txn.Partitions, txn.Groups, txn.Pending = []events.PartitionRef{}, []string{}, []events.PendingOffset{}
	for ref, err := range r.TransactionPartitions(txn.ProducerID) {
		if err != nil {
			return txn, err
		}
		txn.Partitions = append(txn.Partitions, ref)
	}
	for ref, err := range r.TransactionGroups(txn.ProducerID) {
		if err != nil {
			return txn, err
		}
		txn.Groups = append(txn.Groups, ref.ID)
	}
	for offset, err := range r.PendingOffsets(txn.ProducerID) {
		if err != nil {
			return txn, err
		}
		txn.Pending = append(txn.Pending, offset)
	}
	return txn, nil
}

// PutTransaction sets a transaction without what hangs on it, which hangs on its
// producer id.
func (tx *Tx) PutTransaction(txn events.Transaction) error {
	old, found, err := load[events.Transaction](&tx.Reader, transactionKey(txn.TransactionalID))
	if err != nil {
		return err
	}
	if found && old.ProducerID != txn.ProducerID {
		if err := tx.remove(transactionOfProducerKey(old.ProducerID)); err != nil {
			return err
		}
	}
	if err := tx.put(transactionOfProducerKey(txn.ProducerID), []byte(txn.TransactionalID)); err != nil {
		return err
	}
	return tx.save(transactionKey(txn.TransactionalID), txn)
}

// ClearTransaction removes all partitions, groups and pending offsets of a
// producer's transaction, those that wait to be purged too.
func (tx *Tx) ClearTransaction(producer int64) error {
	for child, err := range tx.scan(bucketTxnPartitions.key().int64(producer)) {
		if err != nil {
			return err
		}
		ref, err := parseTxnPartition(child)
		if err != nil {
			return err
		}
		if err := tx.DeleteTransactionPartition(producer, ref.TopicID, ref.Partition); err != nil {
			return err
		}
	}
	for child, err := range tx.scan(bucketTxnGroups.key().int64(producer)) {
		if err != nil {
			return err
		}
		ref, err := parseTxnGroup(child)
		if err != nil {
			return err
		}
		if err := tx.DeleteTransactionGroup(producer, ref.GroupID); err != nil {
			return err
		}
	}
	for offset, err := range rowsOf[events.PendingOffset](&tx.Reader, bucketTxnOffsets.key().int64(producer)) {
		if err != nil {
			return err
		}
		if err := tx.DeletePendingOffset(producer, offset.OffsetRef); err != nil {
			return err
		}
	}
	return nil
}
