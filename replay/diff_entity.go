package replay

import (
	"math"
	"strings"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// areThere is ErrNotFound for an entity that is at neither point: a wrong name must
// not pass for one of what did not change.
func (f diffFilter) areThere(before, after *views.Reader) error {
	for _, entity := range f.entities {
		err := lookUp(before, entity)
		if events.CodeOf(err) == events.CodeNotFound && err != nil {
			err = lookUp(after, entity)
		}
		if err != nil && events.CodeOf(err) == events.CodeNotFound {
			err = events.Errorf(events.CodeNotFound, "entity %q is there neither at seq %d nor at seq %d; check its name", entity.text, before.Seq(), after.Seq())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lookUp is ErrNotFound for an entity that views don't have.
func lookUp(r *views.Reader, n entityName) (err error) {
	switch n.kind {
	case ofTopic, ofPartition, ofSegment:
		return lookUpTopic(r, n)
	case ofGroup:
		return lookUpGroup(r, n.id)
	case ofTransaction:
		_, err = r.TransactionRow(n.id)
	case ofBroker:
		if n.number > math.MaxInt32 {
			return events.Errorf(events.CodeNotFound, "broker %s: not found", n.id)
		}
		_, err = r.Broker(int32(n.number))
	case ofProducer:
		_, err = r.TransactionByProducer(n.number)
	}
	return err
}

// lookUpTopic finds a topic, or a partition or segment of one.
func lookUpTopic(r *views.Reader, n entityName) error {
	topic, err := r.TopicRow(n.id)
	switch {
	case err != nil:
		return err
	case n.kind == ofPartition && int64(n.partition) >= int64(topic.Partitions):
		return events.Errorf(events.CodeNotFound, "partition %d: not found", n.partition)
	case n.kind == ofSegment:
		_, err = r.Segment(topic.ID, n.segment)
	}
	return err
}

// lookUpGroup finds a group, or one with the offsets that the name goes on to: ID/offset,
// ID/offset/TOPIC or ID/offset/TOPIC/N.
func lookUpGroup(r *views.Reader, id string) error {
	_, err := r.Group(id)
	if err == nil || events.CodeOf(err) != events.CodeNotFound {
		return err
	}
	if group, topic, partition, ok := splitOffset(id); ok {
		_, err := r.Offset(group, topic, partition)
		return err
	}
	if i := strings.LastIndex(id+"/", "/offset/"); i > 0 {
		_, err = r.Group(id[:i])
	}
	return err
}
