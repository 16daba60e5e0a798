package replay

import (
	"slices"
	"strconv"
	"strings"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// identity is how an entity is named.
type identity struct {
	name   string
	owners []string // names of what it is or belongs to, by any of which it is found
	topic  events.TopicRef
	group  events.GroupRef
}

// identify names the entity of a change, as it is at the point where it is there.
func identify(c views.Change) identity {
	entity := c.After
	if entity == nil {
		entity = c.Before
	}
	switch e := entity.(type) {
	case views.BrokerEntity:
		return identityOf(e.Entity())
	case events.Topic:
		id := identityOf(events.TopicRef{Name: e.Name}.Entity())
		id.topic = events.TopicRef{Name: e.Name, ID: e.ID}
		return id
	case events.Partition:
		return belowTopic(e.PartitionRef, "partition", strconv.Itoa(int(e.Partition)))
	case events.Segment:
		return belowTopic(e.PartitionRef, "segment", e.ID)
	case views.GroupEntity:
		id := identityOf(e.Entity())
		id.group = e.GroupRef
		return id
	case events.Offset:
		id := identityOf(e.Entity())
		id.name += "/offset/" + e.Topic + "/" + strconv.Itoa(int(e.Partition))
		id.topic = events.TopicRef{Name: e.Topic, ID: e.TopicID}
		id.group = events.GroupRef{ID: e.Group, GroupID: e.GroupID}
		return id
	case events.Transaction:
		return transactionIdentity(c, e)
	default: // views.ClusterEntity
		return identityOf(events.EntityRef{Kind: events.KindCluster})
	}
}

func identityOf(entity events.EntityRef) identity {
	name := entity.String()
	return identity{name: name, owners: []string{name}}
}

func belowTopic(ref events.PartitionRef, noun, which string) identity {
	id := identityOf(ref.Entity())
	id.name += "/" + noun + "/" + which
	id.topic = events.TopicRef{Name: ref.Topic, ID: ref.TopicID}
	return id
}

// transactionIdentity finds a transaction by its producer, too: that is what its
// events are about.
func transactionIdentity(c views.Change, t events.Transaction) identity {
	name := string(views.NounTransaction) + "/" + t.TransactionalID
	id := identity{name: name, owners: []string{name}}
	for _, at := range []any{c.Before, c.After} {
		if t, ok := at.(events.Transaction); ok {
			id.owners = append(id.owners, t.Entity().String())
		}
	}
	return id
}

// diffFilter selects entities.
type diffFilter struct {
	nouns    []views.Noun // wanted as a whole
	entities []entityName // wanted with what is below them
	looked   []views.Noun // nouns that any of these may be of; nil: all
}

// below are the nouns of an entity and what is below it.
var below = map[subjectKind][]views.Noun{
	ofBroker:      {views.NounBroker},
	ofTopic:       {views.NounTopic, views.NounPartition, views.NounSegment},
	ofPartition:   {views.NounPartition},
	ofSegment:     {views.NounSegment},
	ofGroup:       {views.NounGroup, views.NounOffset},
	ofTransaction: {views.NounTransaction},
	ofProducer:    {views.NounTransaction},
}

func newDiffFilter(entities []string) (diffFilter, error) {
	var f diffFilter
	for _, entity := range entities {
		if noun := views.Noun(entity); slices.Contains(views.Nouns, noun) {
			f.nouns = append(f.nouns, noun)
			f.looked = append(f.looked, noun)
			continue
		}
		n, err := diffForms.parse(entity)
		if err != nil {
			return f, err
		}
		f.entities = append(f.entities, n)
		f.looked = append(f.looked, below[n.kind]...)
	}
	return f, nil
}

func (f diffFilter) wants(noun views.Noun) bool {
	return f.looked == nil || slices.Contains(f.looked, noun)
}

func (f diffFilter) matches(noun views.Noun, id identity) bool {
	return f.looked == nil || slices.Contains(f.nouns, noun) || slices.ContainsFunc(f.entities, id.isOrBelow)
}

// isOrBelow reports whether the entity has a name or is below what has it. The id
// of a group may hold slashes, so group/a is not above group/a/b by its name alone.
func (id identity) isOrBelow(n entityName) bool {
	name := n.text
	if slices.Contains(id.owners, name) || id.name == name {
		return true
	}
	isBelowOwner := slices.ContainsFunc(id.owners, func(owner string) bool { return strings.HasPrefix(name, owner+"/") })
	return isBelowOwner && strings.HasPrefix(id.name, name+"/")
}
