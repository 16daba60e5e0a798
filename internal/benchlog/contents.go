package benchlog

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// What a log holds: 40 topics and 2,000 groups, each of which reads one topic and
// commits its partitions in turn. So 100,000 offsets are live however long the log
// is, unless a shape's Rows says otherwise. One record in a hundred reports watermarks. Two hundred times in a log, evenly
// spread, another topic is created, gets watermarks, and is deleted, and the config of
// one of the lasting topics is set.
const (
	topics     = 40
	partitions = 50 // of a topic
	groups     = 2_000

	shortLived      = 200 // topics that come and go
	watermarksEvery = 100 // records
	digestEvery     = 10_000
)

// Topic is the name of a lasting topic, n from 0 to 39.
func Topic(n int) string { return fmt.Sprintf("orders-%02d", n) }

// ShortLivedTopic is the name of a topic that comes and goes, n from 0 to 199.
func ShortLivedTopic(n int) string { return fmt.Sprintf("import-%03d", n) }

// Group is the id of a group, n from 0 to 1,999, or as far as Rows need.
func Group(n int) string { return fmt.Sprintf("orders-service-%04d", n) }

// start and tick are the times of records: a millisecond apart.
const (
	start events.Time = 1_767_225_600_000_000_000 // 2026-01-01
	tick  events.Time = 1_000_000
)

// contents makes the records of a log, one after the other.
type contents struct {
	shape  Shape
	random *rand.Rand

	seq    uint64 // of the last record
	events int    // so far
	groups []group
	ids    uint64            // made so far
	step   int               // of the lives of short-lived topics, three each: the next one
	topics []events.TopicRef // the lasting ones, and the short-lived one that is there
	filled int               // groups that have committed, of a shape with Rows
}

// group is where a group's commits stand.
type group struct {
	events.GroupRef
	topic     events.TopicRef
	partition int   // that is committed next
	offset    int64 // that is committed next
}

func newContents(shape Shape) *contents {
	return &contents{shape: shape, random: rand.New(rand.NewPCG(1, 2))}
}

func (c *contents) done() bool {
	if c.shape.Rows > 0 {
		return c.filled == c.shape.groups()
	}
	return c.events >= c.shape.Events
}

// next returns the record after those it has returned. at is what the views are
// before it.
func (c *contents) next(at views.Checkpoint) *events.Record {
	c.seq++
	rec := &events.Record{Seq: c.seq, Time: start + events.Time(c.seq)*tick, Facts: c.facts(at)}
	rec.Meta.Actor = fmt.Sprintf("broker-%d", c.seq%3+1)
	c.events += len(rec.Facts)
	return rec
}

func (c *contents) facts(at views.Checkpoint) []events.Fact {
	first := c.seq == 1
	switch {
	case first:
		return one(&events.EpochStarted{LogID: c.newID(), Epoch: 1, CommandWindow: 262_144})
	case at.Seq%digestEvery == 0:
		return one(&events.DigestRecorded{Digest: at.Digest, At: at.Seq, SchemaVersion: at.SchemaVersion})
	case len(c.topics) < topics:
		return one(c.createTopic(Topic(len(c.topics))))
	case len(c.groups) < c.shape.groups():
		return one(c.createGroup())
	case c.shape.Rows > 0:
		c.filled++
		return c.commitOf(&c.groups[c.filled-1])
	case c.step < 3*shortLived && c.events >= (c.step+1)*(c.shape.Events/(3*shortLived+1)):
		return c.shortLived()
	case c.seq%watermarksEvery == 0:
		return c.watermarks()
	}
	return c.commit()
}

func one(event events.Event) []events.Fact {
	return []events.Fact{{Event: event, Cause: events.NoCause}}
}

// newID returns a UUID that looks like a random one.
func (c *contents) newID() (id uuid.UUID) {
	c.ids++
	binary.BigEndian.PutUint64(id[:], c.random.Uint64())
	binary.BigEndian.PutUint64(id[8:], c.ids)
	return id
}

func (c *contents) createTopic(name string) *events.TopicCreated {
	topic := events.TopicRef{Name: name, ID: c.newID()}
	c.topics = append(c.topics, topic)
	return &events.TopicCreated{TopicRef: topic, Partitions: partitions, ReplicationFactor: 3, Config: events.Config{"retention.ms": "604800000"}}
}

func (c *contents) createGroup() *events.GroupCreated {
	n := len(c.groups)
	ref := events.GroupRef{ID: Group(n), GroupID: c.seq}
	c.groups = append(c.groups, group{GroupRef: ref, topic: c.topics[n%topics]})
	return &events.GroupCreated{GroupRef: ref, GroupInfo: events.GroupInfo{State: events.GroupEmpty, ProtocolType: "consumer"}}
}

// commit commits the next partitions of a group, taken at random.
func (c *contents) commit() []events.Fact {
	return c.commitOf(&c.groups[c.random.IntN(len(c.groups))])
}

func (c *contents) commitOf(g *group) []events.Fact {
	facts := make([]events.Fact, c.shape.Offsets)
	committed := make([]events.OffsetCommitted, c.shape.Offsets)
	for i := range facts {
		ref := events.OffsetRef{Group: g.ID, GroupID: g.GroupID, Topic: g.topic.Name, TopicID: g.topic.ID, Partition: int32(g.partition)}
		committed[i] = events.OffsetCommitted{OffsetRef: ref, OffsetInfo: events.OffsetInfo{Offset: g.offset, LeaderEpoch: 4}}
		facts[i] = events.Fact{Event: &committed[i], Cause: events.NoCause}
		if g.partition++; g.partition == partitions {
			g.partition, g.offset = 0, g.offset+1_000+c.random.Int64N(1_000)
		}
	}
	return facts
}

// watermarks reports as many partitions as a commit has offsets.
func (c *contents) watermarks() []events.Fact {
	topic := c.topics[c.random.IntN(topics)]
	facts := make([]events.Fact, c.shape.Offsets)
	for i := range facts {
		ref := events.PartitionRef{Topic: topic.Name, TopicID: topic.ID, Partition: int32((int(c.seq) + i) % partitions)}
		facts[i] = events.Fact{Event: &events.HighWatermarkAdvanced{PartitionRef: ref, HighWatermark: int64(c.seq), LeaderEpoch: 4}, Cause: events.NoCause}
	}
	return facts
}

// shortLived is the next step in the life of a short-lived topic.
func (c *contents) shortLived() []events.Fact {
	n, phase := c.step/3, c.step%3
	c.step++
	if phase == 0 {
		return one(c.createTopic(ShortLivedTopic(n)))
	}
	topic := c.topics[topics]
	ref := events.PartitionRef{Topic: topic.Name, TopicID: topic.ID}
	if phase == 1 {
		set := &events.ConfigSet{Scope: scopeOf(c.topics[n%topics]), Config: events.Config{"retention.bytes": fmt.Sprint(c.seq)}}
		return append(one(set), one(&events.HighWatermarkAdvanced{PartitionRef: ref, HighWatermark: 1})...)
	}
	c.topics = c.topics[:topics]
	below := func(event events.Event) events.Fact { return events.Fact{Event: event, Derived: true, Cause: 0} }
	return append(one(&events.TopicDeleted{TopicRef: topic}),
		below(&events.WatermarksDeleted{PartitionRef: ref}),
		below(&events.ConfigDeleted{Scope: scopeOf(topic), Keys: []string{"retention.ms"}}),
	)
}

func scopeOf(topic events.TopicRef) events.Scope {
	return events.Scope{Of: topic.Entity(), TopicID: topic.ID}
}
