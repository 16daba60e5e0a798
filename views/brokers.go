package views

import (
	"iter"

	"github.com/metalog/metalog/events"
)

func brokerKey(id int32) key { return bucketBrokers.key().int32(id) }

// Broker returns a broker.
func (r *Reader) Broker(id int32) (events.Broker, error) {
	broker, found, err := r.brokerRow(id)
	if err == nil && !found {
		err = events.Errorf(events.CodeNotFound, "broker %d: not found; 'metalog broker list' shows the brokers", id)
	}
	return broker, err
}

func (r *Reader) brokerRow(id int32) (events.Broker, bool, error) {
	return load[events.Broker](r, brokerKey(id))
}

// Brokers yields all brokers in order of id.
func (r *Reader) Brokers() iter.Seq2[events.Broker, error] {
	return rowsOf[events.Broker](r, bucketBrokers.key())
}

// PutBroker sets a broker.
func (tx *Tx) PutBroker(broker events.Broker) error { return tx.save(brokerKey(broker.ID), broker) }

// DeleteBroker removes a broker. Assignments may still name it.
func (tx *Tx) DeleteBroker(id int32) error { return tx.remove(brokerKey(id)) }
