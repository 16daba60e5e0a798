package views

import (
	"iter"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

func topicKey(id uuid.UUID) key    { return bucketTopics.key().uuid(id) }
func topicNameKey(name string) key { return bucketTopicsByName.key().string(name) }

func errNoTopic(name string) error {
	return events.Errorf(events.CodeNotFound, "topic %q: not found; 'metalog topic list' shows the topics", name)
}

func errNoTopicID(id uuid.UUID) error {
	return events.Errorf(events.CodeNotFound, "topic with id %s: not found; it may have been deleted: 'metalog topic list -o json' shows names and ids", id)
}

// Topic returns the topic of that name, with its config.
func (r *Reader) Topic(name string) (events.Topic, error) {
	topic, err := r.TopicRow(name)
	if err != nil {
		return topic, err
	}
	return r.withConfig(topic)
}

// TopicRow is Topic without the config, for who needs only id and partitions.
func (r *Reader) TopicRow(name string) (events.Topic, error) {
	if r.kept != nil {
		return r.kept.topics.get(name, r.findTopic)
	}
	return r.findTopic(name)
}

func (r *Reader) findTopic(name string) (events.Topic, error) {
	id, found, err := r.TopicID(name)
	if err != nil {
		return events.Topic{}, err
	}
	if !found {
		return events.Topic{}, errNoTopic(name)
	}
	return r.topicRow(id)
}

// TopicID returns the id of the topic of that name, and whether there is one.
func (r *Reader) TopicID(name string) (id uuid.UUID, found bool, err error) {
	value, found, err := r.get(topicNameKey(name))
	if err != nil || !found {
		return id, false, err
	}
	return uuid.UUID(value), true, nil
}

// TopicByID returns the topic of that id, with its config.
func (r *Reader) TopicByID(id uuid.UUID) (events.Topic, error) {
	topic, err := r.topicRow(id)
	if err != nil {
		return topic, err
	}
	return r.withConfig(topic)
}

func (r *Reader) topicRow(id uuid.UUID) (events.Topic, error) {
	topic, found, err := load[events.Topic](r, topicKey(id))
	if err == nil && !found {
		err = errNoTopicID(id)
	}
	return topic, err
}

func (r *Reader) withConfig(topic events.Topic) (events.Topic, error) {
	row, _, err := load[configRow](r, configKey(scopeTopic).uuid(topic.ID))
	topic.Config = row.Config
	return topic, err
}

// Topics yields all topics in order of name, with their configs.
func (r *Reader) Topics() iter.Seq2[events.Topic, error] {
	return collect(r.scan(bucketTopicsByName.key()), func(e entry) (events.Topic, bool, error) {
		topic, err := r.TopicByID(uuid.UUID(e.value))
		return topic, true, err
	})
}

// reachable reports whether the topic is there: not deleted, whether or not
// everything that hangs on it is purged.
func (r *Reader) reachable(topic uuid.UUID) (bool, error) { return r.has(topicKey(topic)) }

// HasTopic reports whether there is a topic of that id.
func (r *Reader) HasTopic(id uuid.UUID) (bool, error) { return r.reachable(id) }

// MoreBelowTopic reports whether more than so many rows hang on a topic: of its
// segments and of offsets in it, the children of which there may be many. It decodes
// none.
func (r *Reader) MoreBelowTopic(id uuid.UUID, limit int) (bool, error) {
	for _, children := range []bucket{bucketSegments, bucketOffsetsByTopic} {
		for _, err := range r.scan(children.key().uuid(id)) {
			if limit--; err != nil || limit < 0 {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// names finds the names that rows without names hang on. Rows come in order of
// what they hang on, so the last answer is kept.
type names struct {
	r     *Reader
	topic events.TopicRef
	group events.GroupRef
}

// topicName returns the name of a topic, and whether it is reachable. The name
// of one that is being purged comes from its cascade.
func (n *names) topicName(id uuid.UUID) (name string, reachable bool, err error) {
	if n.topic.ID == id && n.topic.Name != "" {
		return n.topic.Name, true, nil
	}
	topic, found, err := load[events.Topic](n.r, topicKey(id))
	if err != nil {
		return "", false, err
	}
	if found {
		n.topic = events.TopicRef{Name: topic.Name, ID: id}
		return topic.Name, true, nil
	}
	name, err = n.r.purgedTopic(id)
	return name, false, err
}

// purgedTopic returns the name of a topic that is being purged.
func (r *Reader) purgedTopic(id uuid.UUID) (string, error) {
	for c, err := range r.Cascades() {
		if err != nil {
			return "", err
		}
		if c.Kind == events.CascadeTopicDelete && c.Topic.ID == id {
			return c.Topic.Name, nil
		}
	}
	return "", events.Errorf(events.CodeCorrupt, "views: rows hang on topic %s, which is neither there nor being purged; rebuild the views", id)
}

// PutTopic sets a topic, whose name never changes. Its Config is not stored: see
// PutConfig.
func (tx *Tx) PutTopic(topic events.Topic) error {
	tx.kept.topics.drop(topic.Name)
	if err := tx.put(topicNameKey(topic.Name), topic.ID[:]); err != nil {
		return err
	}
	return tx.save(topicKey(topic.ID), topic)
}

// DeleteTopic removes a topic: what hangs on it can't be reached any more.
func (tx *Tx) DeleteTopic(id uuid.UUID) error {
	topic, err := tx.topicRow(id)
	if err != nil {
		return errDeletesMissing(err)
	}
	tx.kept.topics.drop(topic.Name)
	if err := tx.remove(topicNameKey(topic.Name)); err != nil {
		return err
	}
	return tx.remove(topicKey(id))
}
