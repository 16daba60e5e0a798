package metalog

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// readBefore gathers the targets and reads them as they were before the record.
func (p *undoPlan) readBefore(ctx context.Context, s *Store) (err error) {
	if p.opts.Seq == 1 { // there is nothing before it
		return p.refuseIrreversible()
	}
	view, err := s.pinAt(ctx, p.opts.Seq-1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, view.Close()) }()
	before := &view.snapshot.Reader
	for _, f := range p.of.facts {
		targets, err := p.targetsOf(f.Event, before)
		if err != nil {
			return err
		}
		for _, t := range targets {
			if err := p.add(t, f, before); err != nil {
				return err
			}
		}
		p.noteLoss(f.Event)
	}
	if err := p.losePlacesInTransactions(before); err != nil {
		return err
	}
	p.given = slices.Clone(p.Lost)
	p.leaveToOwners()
	return p.refuseIrreversible()
}

// targetsOf lists what an event of the undone record changed.
func (p *undoPlan) targetsOf(e events.Event, before *views.Reader) ([]target, error) {
	updated, ok := e.(*events.TopicUpdated)
	if !ok {
		return changedBy(e), nil
	}
	scope := configOfTopic(updated.TopicRef)
	entry, err := before.Config(scope)
	if err != nil {
		return nil, err
	}
	changed := maps.Clone(entry.Config)
	if changed == nil {
		changed = events.Config{}
	}
	for key, value := range updated.Config {
		if old, isSet := changed[key]; isSet && old == value {
			delete(changed, key)
		} else {
			changed[key] = value
		}
	}
	return append(ofConfigKeys(scope, changed), ofTopic(targetTopic, updated.TopicRef)), nil
}

// add adds a target that an event changed, as a view before it shows it.
func (p *undoPlan) add(t target, f events.Fact, before *views.Reader) error {
	if _, known := p.was[t]; known {
		return nil
	}
	was, err := t.read(before)
	if err != nil {
		return err
	}
	p.was[t] = was
	p.targets = append(p.targets, t)
	if !f.Derived {
		p.asked[t] = f.Event.Type()
	}
	return nil
}

// noteLoss notes what an event took away that can't come back.
func (p *undoPlan) noteLoss(e events.Event) {
	const why = "what a transaction holds is not given back to it"
	switch e := e.(type) {
	case *events.TransactionOffsetDropped:
		p.lose("pending offset", offsetLabel(e.Offset.Group, e.Offset.Topic, e.Offset.Partition), why)
	case *events.TransactionPartitionRemoved:
		p.lose("partition in a transaction", partitionLabel(e.Partition), why)
	}
}

// losePlacesInTransactions is for the groups of open transactions, which leave
// them without an event of their own.
func (p *undoPlan) losePlacesInTransactions(before *views.Reader) error {
	for _, t := range p.targets {
		if t.Kind != targetGroup || p.was[t].value == nil || !p.deletes(t) {
			continue
		}
		for row, err := range before.TransactionGroupsOf(t.Group.GroupID) {
			if err != nil {
				return err
			}
			p.lose("group in a transaction", transactionLabel(row.Transaction.TransactionalID), "what a transaction holds is not given back to it")
		}
	}
	return nil
}

// deletes reports whether the undone record deleted a group.
func (p *undoPlan) deletes(t target) bool {
	return slices.ContainsFunc(p.of.facts, func(f events.Fact) bool {
		e, ok := f.Event.(*events.GroupDeleted)
		return ok && e.GroupID == t.Group.GroupID
	})
}

func (p *undoPlan) lose(kind, what, why string) {
	for i := range p.Lost {
		if l := &p.Lost[i]; l.Kind == kind && l.Why == why {
			l.Count++
			return
		}
	}
	p.Lost = append(p.Lost, UndoLoss{Kind: kind, Count: 1, First: what, Why: why})
}

// leaveToOwners leaves out what goes with a topic, group or broker that the undo
// takes away.
func (p *undoPlan) leaveToOwners() {
	gone := map[target]bool{}
	for _, t := range p.targets {
		if p.was[t].value == nil {
			gone[t] = true
		}
	}
	p.targets = slices.DeleteFunc(p.targets, func(t target) bool {
		switch {
		case t.Kind != targetTopic && gone[ofTopic(targetTopic, t.Topic)]:
			return true
		case t.Kind != targetGroup && gone[ofGroup(targetGroup, t.Group)]:
			return true
		}
		return t.Kind == targetConfig && t.Scope == events.KindBroker && gone[ofBroker(targetBroker, t.Number)]
	})
}

// refuseIrreversible refuses a record in which a command asked for something that
// can't be undone, unless that goes with its owner.
func (p *undoPlan) refuseIrreversible() error {
	left := map[target]bool{}
	for _, t := range p.targets {
		left[t] = true
	}
	for _, f := range p.of.facts {
		why := irreversible(f.Event)
		if why == "" || f.Derived {
			continue
		}
		changed := changedBy(f.Event)
		if len(changed) > 0 && !slices.ContainsFunc(changed, func(t target) bool { return left[t] }) {
			continue
		}
		return events.Errorf(events.CodeInvalid, "seq %d: %s of %s can't be undone: %s", p.opts.Seq, f.Event.Type(), f.Event.Entity(), why)
	}
	return nil
}

// lookedFor is what later records are searched for: the targets, and whatever is in
// those that the undo takes away.
func (p *undoPlan) lookedFor() map[target]bool {
	wanted := map[target]bool{}
	for _, t := range p.targets {
		wanted[t] = true
		for _, mark := range p.marks(t) {
			wanted[mark] = true
		}
	}
	return wanted
}

// marks are what else in later records concerns a target.
func (p *undoPlan) marks(t target) []target {
	gone := p.was[t].value == nil
	switch {
	case t.Kind == targetTopic && gone:
		return []target{ofTopic(targetInTopic, t.Topic)}
	case t.Kind == targetTopic:
		return []target{ofTopic(targetTopicName, events.TopicRef{Name: t.Topic.Name})}
	case t.Kind == targetGroup && gone:
		return []target{ofGroup(targetInGroup, t.Group)}
	case t.Kind == targetGroup:
		return []target{ofGroup(targetGroupName, events.GroupRef{ID: t.Group.ID})}
	case t.Kind == targetBroker && gone:
		return []target{ofBroker(targetInBroker, t.Number)}
	case t.Kind == targetAssignment && gone:
		return []target{ofPartition(targetInPartition, t.partition())}
	case t.Kind == targetConfig:
		return []target{t.wholeConfig()}
	}
	return nil
}
