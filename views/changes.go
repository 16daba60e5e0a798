package views

import (
	"bytes"
	"context"
	"encoding/hex"
	"iter"
	"slices"

	"github.com/metalog/metalog/events"
)

// Noun is a kind of entity that [Changes] tells apart.
type Noun string

// The nouns, in the order in which changes come: what belongs to a topic comes
// with the topic, offsets come with their group.
const (
	NounCluster     Noun = "cluster"
	NounBroker      Noun = "broker"
	NounTopic       Noun = "topic"
	NounPartition   Noun = "partition"
	NounSegment     Noun = "segment"
	NounGroup       Noun = "group"
	NounOffset      Noun = "offset"
	NounTransaction Noun = "transaction"
)

// Nouns are all nouns in their order.
var Nouns = []Noun{NounCluster, NounBroker, NounTopic, NounPartition, NounSegment, NounGroup, NounOffset, NounTransaction}

// Change is an entity that two views may not have in common, as reads show it. An
// entity is an [events.Topic], [events.Partition], [events.Segment],
// [events.Offset], [events.Transaction], [ClusterEntity], [BrokerEntity] or
// [GroupEntity], and nil where it is not there.
type Change struct {
	Noun          Noun
	Place         Place
	Before, After any
}

// ClusterEntity is what views have of the cluster as a whole.
type ClusterEntity struct {
	Epoch             uint64        `json:"epoch"` // of the log
	SystemInitialized bool          `json:"system_initialized"`
	NextProducerID    int64         `json:"next_producer_id"`
	Config            events.Config `json:"config"`
	Revision          uint64        `json:"revision"` // of the config
}

// BrokerEntity is a broker with its config. Revision is that of which changed
// last.
type BrokerEntity struct {
	events.Broker
	Config events.Config `json:"config"`
}

// GroupEntity is a group with its config. Revision is that of which changed last.
type GroupEntity struct {
	events.Group
	Config events.Config `json:"config"`
}

// Place is where a change stands in the order of all. It means the same in any
// two views of one log.
type Place []byte

// MarshalText writes the place as hexadecimal digits.
func (p Place) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, p), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Place) UnmarshalText(text []byte) error {
	place, err := hex.DecodeString(string(text))
	if err != nil || len(place) > 0 && int(place[0]) >= len(families) {
		return events.Errorf(events.CodeInvalid, "%q is no place among differences", text)
	}
	*p = place
	return nil
}

// ChangesOptions say what to compare. The zero value is everything.
type ChangesOptions struct {
	Wants func(Noun) bool // nil: all
	After Place           // go on after the change at this place
}

// Changes compares two views and yields the entities that differ: the cluster's,
// brokers by id, topics in the order of their ids with their partitions and
// segments, groups in the order of their creation with their offsets, and
// transactions by transactional id. It takes constant memory.
//
// Entities are compared by their rows, so some may be told that look the same, as
// when only the revision differs. A topic or group that was deleted and created
// again is two entities. Partitions of which nothing is known are not told.
func Changes(ctx context.Context, before, after *Reader, opts ChangesOptions) iter.Seq2[Change, error] {
	if opts.Wants == nil {
		opts.Wants = func(Noun) bool { return true }
	}
	c := &comparison{ctx: ctx, opts: opts, before: seen{r: before}, after: seen{r: after}}
	// While a cascade goes on, rows are out of sight, or mean something else,
	// without having changed.
	c.equal = before.at.Counts[bucketCascades]+after.at.Counts[bucketCascades] > 0
	return func(yield func(Change, error) bool) {
		for n, f := range families {
			if len(opts.After) > 0 && n < int(opts.After[0]) {
				continue
			}
			if !c.compare(byte(n), &f, yield) {
				return
			}
		}
	}
}

// comparison is two views that are compared.
type comparison struct {
	ctx           context.Context
	opts          ChangesOptions
	before, after seen
	equal         bool // look at rows that are equal, too
}

// family is entities that come together: those of an owner after it.
type family struct {
	owner  int // bytes of the owner's id, which the keys of its tables begin with
	tables []table
	// mayDiffer tells of a row that both views have whether its entity may look
	// different all the same; nil: it never does.
	mayDiffer func(value []byte) (bool, error)
}

// table is rows that entities of a noun are made of.
type table struct {
	noun   Noun
	prefix key
	stage  byte // its noun's place below the owner
}

var families = []family{
	{tables: []table{{NounCluster, clusterLog, 0}}, mayDiffer: func([]byte) (bool, error) { return true, nil }},
	{owner: 4, tables: []table{
		{NounBroker, bucketBrokers.key(), 0}, {NounBroker, configKey(scopeBroker), 0},
	}},
	{owner: 16, tables: []table{
		{NounTopic, bucketTopics.key(), 0}, {NounTopic, configKey(scopeTopic), 0},
		{NounPartition, bucketAssignments.key(), 1}, {NounPartition, bucketWatermarks.key(), 1},
		{NounSegment, bucketSegments.key(), 2},
	}},
	{owner: 8, tables: []table{
		{NounGroup, bucketGroups.key(), 0}, {NounGroup, configKey(scopeGroup), 0},
		{NounOffset, bucketOffsets.key(), 1},
	}},
	{tables: []table{{NounTransaction, bucketTransactions.key(), 0}}, mayDiffer: isOpenTransaction},
}

// isOpenTransaction: what hangs on a transaction goes with topics and groups, and
// its row stays. One that has ended has nothing more.
func isOpenTransaction(value []byte) (bool, error) {
	var txn events.Transaction
	err := decodeRow(bucketTransactions, value, &txn)
	return txn.State.Open(), err
}

// scan walks the pairs of one table.
type scan struct {
	table
	family *family
	pairs  *pairs
	at     pair  // that it stands at
	place  Place // of it
	more   bool
}

// compare yields the changes of one family, and reports whether to go on.
func (c *comparison) compare(number byte, f *family, yield func(Change, error) bool) bool {
	scans, err := c.scans(number, f)
	for err == nil {
		var first *scan
		for _, s := range scans {
			if s.more && (first == nil || bytes.Compare(s.place, first.place) < 0) {
				first = s
			}
		}
		if first == nil {
			return true
		}
		change := Change{Noun: first.noun, Place: slices.Clone(first.place)}
		if err = c.load(&change, first.at); err != nil {
			break
		}
		if err = c.pass(scans, change.Place); err != nil {
			break
		}
		if (change.Before != nil || change.After != nil) && !yield(change, nil) {
			return false
		}
	}
	yield(Change{}, err)
	return false
}

// scans begins the scans of the tables that are wanted.
func (c *comparison) scans(number byte, f *family) ([]*scan, error) {
	var scans []*scan
	for _, t := range f.tables {
		if !c.opts.Wants(t.noun) {
			continue
		}
		within := bounds{prefix: t.prefix, start: t.prefix}
		if after := c.opts.After; len(after) > 0 && after[0] == number {
			within.start = slices.Concat(t.prefix, key(after[1:min(1+f.owner, len(after))]))
		}
		pairs, err := newPairs(c.ctx, c.before.r, c.after.r, within, c.equal || f.mayDiffer != nil)
		if err != nil {
			return nil, err
		}
		s := &scan{table: t, family: f, pairs: pairs, place: Place{number}}
		if err := s.next(c.opts.After); err != nil {
			return nil, err
		}
		scans = append(scans, s)
	}
	return scans, nil
}

// next goes to the next pair that stands after a place.
func (s *scan) next(after Place) error {
	for {
		p, more, err := s.pairs.next()
		if s.at, s.more = p, more; err != nil || !more {
			return err
		}
		rest, owner := p.key[len(s.prefix)-1:], s.family.owner
		if len(rest) < owner {
			return errBadRow(s.prefix.bucket())
		}
		s.place = append(append(append(s.place[:1], rest[:owner]...), s.stage), rest[owner:]...)
		if bytes.Compare(s.place, after) <= 0 {
			continue
		}
		if s.family.mayDiffer == nil || !bytes.Equal(p.a, p.b) {
			return nil
		}
		if may, err := s.family.mayDiffer(p.a); err != nil || may {
			return err
		}
	}
}

// pass moves all scans that stand at a place on: tables whose rows make up one
// entity.
func (c *comparison) pass(scans []*scan, place Place) error {
	for _, s := range scans {
		if s.more && bytes.Equal(s.place, place) {
			if err := s.next(c.opts.After); err != nil {
				return err
			}
		}
	}
	return nil
}
