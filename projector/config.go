package projector

import (
	"errors"
	"maps"

	"github.com/metalog/metalog/events"
)

func (a application) configSet(e *events.ConfigSet) error {
	entry, err := a.tx.Config(e.Scope)
	if err != nil {
		return err
	}
	config := events.Config{}
	maps.Copy(config, entry.Config)
	maps.Copy(config, e.Config)
	if err := a.tx.PutConfig(e.Scope, config, a.seq()); err != nil {
		return err
	}
	return a.touchOwner(e.Scope)
}

func (a application) configDeleted(e *events.ConfigDeleted) error {
	entry, err := a.tx.RawConfig(e.Scope)
	if err != nil {
		return err
	}
	config := maps.Clone(entry.Config)
	for _, key := range e.Keys {
		delete(config, key)
	}
	if len(config) == 0 {
		err = a.tx.DeleteConfig(e.Scope)
	} else {
		err = a.tx.PutConfig(e.Scope, config, a.seq())
	}
	if err != nil {
		return err
	}
	return a.touchOwner(e.Scope)
}

// touchOwner gives a topic a new revision: its config is a part of it. A topic
// that is being deleted is gone already.
func (a application) touchOwner(scope events.Scope) error {
	if scope.Of.Kind != events.KindTopic {
		return nil
	}
	topic, err := a.tx.TopicByID(scope.TopicID)
	if errors.Is(err, events.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.touchTopic(topic)
}
