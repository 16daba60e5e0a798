package replay

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// entityForms are the forms that the name of an entity can have where one is asked for.
type entityForms []string

// commonForms are those of history, blame and diff alike.
var commonForms = entityForms{
	"topic/NAME", "topic/NAME/partition/N", "topic/NAME/segment/ID", "group/ID", "group/ID/offset/TOPIC/N",
	"broker/ID", "producer/ID", "transaction/TRANSACTIONAL-ID", "cluster",
}

var (
	historyForms = append(slices.Clone(commonForms), "config/SCOPE")
	diffForms    = append(slices.Clone(commonForms), "a kind of entity: "+joinNouns())
)

func joinNouns() string {
	names := make([]string, len(views.Nouns))
	for i, noun := range views.Nouns {
		names[i] = string(noun)
	}
	return strings.Join(names, ", ")
}

// have reports whether one of the forms begins with a kind.
func (forms entityForms) have(kind string) bool {
	return slices.ContainsFunc(forms, func(form string) bool {
		head, _, _ := strings.Cut(form, "/")
		return head == kind
	})
}

// refuse is the error for a name that has none of the forms.
func (forms entityForms) refuse(entity string) error {
	last := len(forms) - 1
	return events.Errorf(events.CodeInvalid, "entity %q: want %s or %s", entity, strings.Join(forms[:last], ", "), forms[last])
}

// entityName is the name of an entity, taken apart. That of an offset is one of a
// group, whose id may have slashes itself: see [splitOffset].
type entityName struct {
	text      string // as it was given
	kind      subjectKind
	id        string           // what follows the kind; of a part of a topic, the topic's
	number    int64            // of a broker or producer: the id
	partition int32            // of a partition
	segment   string           // of a segment
	scope     events.EntityRef // of a config
}

// parse reads a name that has one of the forms.
func (forms entityForms) parse(entity string) (n entityName, err error) {
	kind, id, _ := strings.Cut(entity, "/")
	n = entityName{text: entity, kind: subjectKind(kind), id: id}
	ok := forms.have(kind) && (id != "" || entity == string(ofCluster))
	switch {
	case !ok:
	case n.kind == ofTopic:
		ok = n.readTopic()
	case n.kind == ofConfig:
		ok = n.readScope()
	case n.kind == ofCluster:
		ok = id == ""
	case n.kind == ofBroker || n.kind == ofProducer:
		if n.number, err = (events.EntityRef{Kind: events.EntityKind(kind), ID: id}).Number(); err != nil {
			return n, err
		}
	}
	if !ok {
		return n, forms.refuse(entity)
	}
	return n, nil
}

// topicForm is what follows topic/ in the name of an entity.
var topicForm = regexp.MustCompile(`(?s)^([^/]+)(?:/partition/(\d{1,9})|/segment/(.+))?$`)

// readTopic reads NAME, NAME/partition/N or NAME/segment/ID.
func (n *entityName) readTopic() bool {
	m := topicForm.FindStringSubmatch(n.id)
	if m == nil {
		return false
	}
	n.id = m[1]
	switch {
	case m[2] != "":
		n.kind, n.partition = ofPartition, partitionNumber(m[2])
	case m[3] != "":
		n.kind, n.segment = ofSegment, m[3]
	}
	return true
}

// partitionNumber reads nine digits at most.
func partitionNumber(digits string) int32 {
	n, _ := strconv.ParseInt(digits, 10, 32)
	return int32(n)
}

// readScope reads cluster, topic/NAME, broker/ID or group/ID.
func (n *entityName) readScope() bool {
	ref, err := events.ParseEntityRef(n.id)
	n.scope = ref
	return err == nil && ref.Kind != events.KindProducer && (ref.Kind != events.KindTopic || !strings.Contains(ref.ID, "/"))
}

var offsetForm = regexp.MustCompile(`(?s)^(.+)/offset/([^/]+)/(\d{1,9})$`)

// splitOffset reads what follows group/ as ID/offset/TOPIC/N.
func splitOffset(id string) (group, topic string, partition int32, ok bool) {
	m := offsetForm.FindStringSubmatch(id)
	if m == nil {
		return "", "", 0, false
	}
	return m[1], m[2], partitionNumber(m[3]), true
}
