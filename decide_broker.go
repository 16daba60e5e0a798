package metalog

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// RegisterBroker makes a broker a member, online and with a new epoch. A broker
// that registers again with another incarnation id has been restarted: what it
// led is given a leader anew.
type RegisterBroker struct {
	ID            int32             `json:"id" require:"true"`
	Host          string            `json:"host" require:"true"`
	Port          int32             `json:"port" require:"true"`
	Rack          string            `json:"rack,omitempty"`
	Endpoints     []events.Endpoint `json:"endpoints,omitempty"`
	IncarnationID uuid.UUID         `json:"incarnation_id,omitzero"` // zero: a fresh one
}

// SetBrokerStatus takes a broker offline, into maintenance or online.
type SetBrokerStatus struct {
	ID     int32               `json:"id" require:"true"`
	Status events.BrokerStatus `json:"status" require:"true"`
}

// RemoveBroker removes a member. While it is a replica of any partition that is
// ErrConflict, unless Force is set: then those partitions lose it.
type RemoveBroker struct {
	ID    int32 `json:"id" require:"true"`
	Force bool  `json:"force,omitempty"`
}

func (RegisterBroker) Op() string  { return "broker.register" }
func (SetBrokerStatus) Op() string { return "broker.status" }
func (RemoveBroker) Op() string    { return "broker.remove" }

func (c RegisterBroker) validate() error {
	var v checks
	v.atLeast("id", int64(c.ID), 0)
	v.text("host", c.Host, MaxTextBytes)
	v.within("port", int64(c.Port), 1, 65535)
	v.optionalText("rack", c.Rack, MaxTextBytes)
	for i, e := range c.Endpoints {
		v.text(indexed("endpoints", i, "name"), e.Name, MaxTextBytes)
		v.text(indexed("endpoints", i, "host"), e.Host, MaxTextBytes)
		v.within(indexed("endpoints", i, "port"), int64(e.Port), 1, 65535)
		v.optionalText(indexed("endpoints", i, "security_protocol"), e.SecurityProtocol, MaxTextBytes)
	}
	return v.err
}

func (c SetBrokerStatus) validate() error {
	var v checks
	v.atLeast("id", int64(c.ID), 0)
	switch c.Status {
	case events.BrokerOnline, events.BrokerOffline, events.BrokerMaintenance:
	default:
		v.fail("status", "%q is not known; it is online, offline or maintenance", c.Status)
	}
	return v.err
}

func (c RemoveBroker) validate() error {
	var v checks
	v.atLeast("id", int64(c.ID), 0)
	return v.err
}

func (c RegisterBroker) decide(d *decision) error {
	existing, err := d.view.Broker(c.ID)
	exists, err := d.exists(brokerLabel(c.ID), existing.Revision, err)
	if err != nil {
		return err
	}
	info := events.BrokerInfo{ID: c.ID, Host: c.Host, Port: c.Port, Rack: c.Rack, Endpoints: c.Endpoints, IncarnationID: c.IncarnationID}
	if exists && existing.Status != events.BrokerOffline {
		if unchanged, err := same(info, existing.BrokerInfo); err != nil || unchanged {
			return err
		}
	}
	if err := d.settled(c.ID); err != nil {
		return err
	}
	if info.IncarnationID == uuid.Nil {
		info.IncarnationID = d.newID()
	}
	registered := &events.BrokerRegistered{BrokerInfo: info}
	self := events.Broker{BrokerInfo: info, Status: events.BrokerOnline, Epoch: d.seq}
	root := d.emit(registered)
	registered.Continues, err = d.cascade(root, electLeaders(d.view, self))
	return d.completed(root, registered.Continues, events.CascadeBrokerOnline, registered.Entity(), err)
}

func (c SetBrokerStatus) decide(d *decision) error {
	broker, err := d.view.Broker(c.ID)
	if err := d.found(brokerLabel(c.ID), broker.Revision, err); err != nil {
		return err
	}
	if broker.Status == c.Status {
		return nil
	}
	if err := d.settled(c.ID); err != nil {
		return err
	}
	changed := &events.BrokerStatusChanged{ID: c.ID, Status: c.Status, Previous: broker.Status}
	root := d.emit(changed)
	switch c.Status {
	case events.BrokerOffline:
		changed.Continues, err = d.cascade(root, leaveISR(d.view, c.ID))
		return d.completed(root, changed.Continues, events.CascadeBrokerOffline, changed.Entity(), err)
	case events.BrokerOnline:
		broker.Status = events.BrokerOnline
		changed.Continues, err = d.cascade(root, electLeaders(d.view, broker))
		return d.completed(root, changed.Continues, events.CascadeBrokerOnline, changed.Entity(), err)
	}
	return nil
}

func (c RemoveBroker) decide(d *decision) error {
	broker, err := d.view.Broker(c.ID)
	if err := d.found(brokerLabel(c.ID), broker.Revision, err); err != nil {
		return err
	}
	if err := d.settled(c.ID); err != nil {
		return err
	}
	if !c.Force {
		if err := d.holdsNothing(c.ID); err != nil {
			return err
		}
	}
	removed := &events.BrokerRemoved{ID: c.ID}
	root := d.emit(removed)
	removed.Continues, err = d.cascade(root, belowBroker(d.view, c.ID))
	removed.Forced = c.Force
	return d.completed(root, removed.Continues, events.CascadeBrokerRemove, removed.Entity(), err)
}

// settled rejects while an earlier cascade below the broker still goes on.
func (d *decision) settled(id int32) error {
	for c, err := range d.view.Cascades() {
		if err != nil {
			return err
		}
		if c.Broker == id && isBrokerCascade(c.Kind) {
			return events.Errorf(events.CodeConflict, "%s: its partitions are still being changed (%s since seq %d); try again in a moment", brokerLabel(id), c.Kind, c.Cause.Seq)
		}
	}
	return nil
}

func (d *decision) holdsNothing(id int32) error {
	for p, err := range d.view.PartitionsOf(id) {
		if err != nil {
			return err
		}
		return events.Errorf(events.CodeConflict, "%s: still a replica of topic %q, partition %d; reassign its partitions first, or force the removal", brokerLabel(id), p.Topic, p.Partition)
	}
	return nil
}

func brokerLabel(id int32) string { return fmt.Sprintf("broker %d", id) }
