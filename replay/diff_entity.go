package replay

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// topicForm is what follows topic/ in the name of an entity.
var topicForm = regexp.MustCompile(`^([^/]+)(?:/partition/(\d{1,9})|/segment/(.+))?$`)

// checkDiffEntity checks the form of an entity's name.
func checkDiffEntity(entity string) error {
	kind, id, _ := strings.Cut(entity, "/")
	known := below[kind] != nil && id != ""
	switch kind {
	case "topic":
		known = topicForm.MatchString(id)
	case "broker", "producer":
		if known {
			_, err := events.EntityRef{Kind: events.EntityKind(kind), ID: id}.Number()
			return err
		}
	}
	if !known {
		return events.Errorf(events.CodeInvalid, "entity %q: want topic/NAME, topic/NAME/partition/N, topic/NAME/segment/ID, group/ID, group/ID/offset/TOPIC/N, broker/ID, transaction/ID, producer/ID, cluster, or a noun: %s", entity, joinNouns())
	}
	return nil
}

// areThere is ErrNotFound for an entity that is at neither point: a wrong name must
// not pass for one of what did not change.
func (f diffFilter) areThere(before, after *views.Reader) error {
	for _, entity := range f.entities {
		err := lookUp(before, entity)
		if events.CodeOf(err) == events.CodeNotFound && err != nil {
			err = lookUp(after, entity)
		}
		if err != nil && events.CodeOf(err) == events.CodeNotFound {
			err = events.Errorf(events.CodeNotFound, "entity %q is there neither at seq %d nor at seq %d; check its name", entity, before.Seq(), after.Seq())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lookUp is ErrNotFound for an entity that views don't have.
func lookUp(r *views.Reader, entity string) error {
	kind, id, _ := strings.Cut(entity, "/")
	var err error
	switch kind {
	case "topic":
		err = lookUpTopic(r, topicForm.FindStringSubmatch(id))
	case "group":
		err = lookUpGroup(r, id)
	case "transaction":
		_, err = r.TransactionRow(id)
	case "broker":
		var n int64
		if n, err = strconv.ParseInt(id, 10, 32); err == nil {
			_, err = r.Broker(int32(n))
		} else {
			err = events.Errorf(events.CodeNotFound, "broker %s: not found", id)
		}
	case "producer":
		var n int64
		if n, err = strconv.ParseInt(id, 10, 64); err == nil {
			_, err = r.TransactionByProducer(n)
		}
	}
	return err
}

// lookUpTopic takes what topicForm finds.
func lookUpTopic(r *views.Reader, form []string) error {
	topic, err := r.TopicRow(form[1])
	switch {
	case err != nil:
		return err
	case form[2] != "":
		if n, _ := strconv.Atoi(form[2]); int64(n) >= int64(topic.Partitions) {
			return events.Errorf(events.CodeNotFound, "partition %d: not found", n)
		}
	case form[3] != "":
		_, err = r.Segment(topic.ID, form[3])
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
	if m := offsetForm.FindStringSubmatch(id); m != nil {
		n, _ := strconv.ParseInt(m[3], 10, 32) // of nine digits at most
		_, err := r.Offset(m[1], m[2], int32(n))
		return err
	}
	if i := strings.LastIndex(id+"/", "/offset/"); i > 0 {
		_, err = r.Group(id[:i])
	}
	return err
}
