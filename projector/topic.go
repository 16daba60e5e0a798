package projector

import (
	"maps"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

func (a application) topicCreated(e *events.TopicCreated) error {
	topic := events.Topic{
		Name: e.Name, ID: e.ID, Partitions: e.Partitions, ReplicationFactor: e.ReplicationFactor, Internal: e.Internal,
		CreatedAt: a.time(), UpdatedAt: a.time(), Revision: a.seq(),
	}
	if err := a.tx.PutTopic(topic); err != nil {
		return err
	}
	return a.setTopicConfig(e.TopicRef, nil, e.Config)
}

func (a application) topicUpdated(e *events.TopicUpdated) error {
	topic, err := a.tx.TopicByID(e.ID)
	if err != nil {
		return err
	}
	if err := a.setTopicConfig(e.TopicRef, topic.Config, e.Config); err != nil {
		return err
	}
	topic.ReplicationFactor = e.ReplicationFactor
	return a.touchTopic(topic)
}

// setTopicConfig changes a topic's config as a whole.
func (a application) setTopicConfig(ref events.TopicRef, before, config events.Config) error {
	scope := events.Scope{Of: ref.Entity(), TopicID: ref.ID}
	switch {
	case maps.Equal(before, config):
		return nil
	case len(config) == 0:
		return a.tx.DeleteConfig(scope)
	}
	return a.tx.PutConfig(scope, config, a.seq())
}

func (a application) partitionsAdded(e *events.PartitionsAdded) error {
	topic, err := a.tx.TopicByID(e.ID)
	if err != nil {
		return err
	}
	topic.Partitions = e.Partitions
	return a.touchTopic(topic)
}

func (a application) touchTopic(topic events.Topic) error {
	topic.UpdatedAt, topic.Revision = a.time(), a.seq()
	return a.tx.PutTopic(topic)
}

func (a application) topicDeleted(e *events.TopicDeleted) error {
	if err := a.tx.DeleteTopic(e.ID); err != nil {
		return err
	}
	return a.cascadeContinues(e.Purging, views.Cascade{Kind: events.CascadeTopicDelete, Topic: e.TopicRef})
}
