package projector

import (
	"errors"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

func (a application) brokerRegistered(e *events.BrokerRegistered) error {
	broker, err := a.tx.Broker(e.ID)
	if errors.Is(err, events.ErrNotFound) {
		broker, err = events.Broker{RegisteredAt: a.time()}, nil
	}
	if err != nil {
		return err
	}
	broker.BrokerInfo, broker.Status, broker.Epoch = e.BrokerInfo, events.BrokerOnline, a.seq()
	if err := a.touchBroker(broker); err != nil {
		return err
	}
	return a.cascadeContinues(e.Continues, views.Cascade{Kind: events.CascadeBrokerOnline, Broker: e.ID})
}

func (a application) brokerStatusChanged(e *events.BrokerStatusChanged) error {
	broker, err := a.tx.Broker(e.ID)
	if err != nil {
		return err
	}
	kind := events.CascadeBrokerOnline
	if broker.Status = e.Status; e.Status == events.BrokerOffline {
		kind, broker.Epoch = events.CascadeBrokerOffline, a.seq()
	}
	if err := a.touchBroker(broker); err != nil {
		return err
	}
	return a.cascadeContinues(e.Continues, views.Cascade{Kind: kind, Broker: e.ID})
}

func (a application) touchBroker(broker events.Broker) error {
	broker.UpdatedAt, broker.Revision = a.time(), a.seq()
	return a.tx.PutBroker(broker)
}

func (a application) brokerRemoved(e *events.BrokerRemoved) error {
	if err := a.tx.DeleteBroker(e.ID); err != nil {
		return err
	}
	return a.cascadeContinues(e.Continues, views.Cascade{Kind: events.CascadeBrokerRemove, Broker: e.ID})
}
