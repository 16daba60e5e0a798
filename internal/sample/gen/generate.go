package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

const header = `# A sample catalogue for metalog: 'metalog apply -f FILE' or 'metalog serve --demo'.
#
# Facts: the names of the topics, schema.title and producer.service, which topics
# are keyed (cleanup.policy=compact), and the ingestion jobs that are the consumer
# groups. Source: wmf-config/ext-EventStreamConfig.php of the public repository
# wikimedia/operations-mediawiki-config, commit 349dc09452 (2026-08-13).
#
# Made up from a fixed seed, and nobody's real numbers: brokers, partition counts,
# replication, assignments, watermarks, segments and committed offsets.
#
# Written by 'go generate ./internal/sample'; don't edit.
`

const (
	brokersPerCentre = 3
	replication      = 3
	offsetsPerCommit = 50
)

// newest is the time of the youngest record in the made-up segments.
var newest = time.Date(2026, time.August, 13, 0, 0, 0, 0, time.UTC)

// centres are the data centres, with the first id of their brokers.
var centres = []struct {
	name  string
	first int32
}{{"eqiad", 1001}, {"codfw", 2001}}

// generator writes the lines of one sample.
type generator struct {
	rng     *rand.Rand
	out     bytes.Buffer
	written int   // commands so far; numbers their ids
	err     error // the first one; nothing is written after it

	groups map[string][]metalog.OffsetCommit // what each group commits, in the order of the topics
	topics int                               // so far
}

// generate makes the sample of a catalogue.
func generate(catalogue io.Reader) ([]byte, error) {
	streams, err := readCatalogue(catalogue)
	if err != nil {
		return nil, err
	}
	g := &generator{rng: rand.New(rand.NewPCG(20260813, 437)), groups: map[string][]metalog.OffsetCommit{}}
	g.out.WriteString(header)
	g.brokers()
	g.internalTopics()
	for _, s := range streams {
		for _, topic := range s.Topics {
			g.topic(s, topic)
		}
	}
	g.commits()
	return g.out.Bytes(), g.err
}

// add writes one command.
func (g *generator) add(cmd metalog.Command) {
	if g.err != nil {
		return
	}
	g.written++
	body, err := json.Marshal(cmd)
	if err != nil {
		g.err = fmt.Errorf("%s: %w", cmd.Op(), err)
		return
	}
	fmt.Fprintf(&g.out, `{"op":%q,"command_id":"sample-%05d"`, cmd.Op(), g.written)
	if fields := body[1:]; len(fields) > 1 {
		g.out.WriteByte(',')
		g.out.Write(fields)
	} else {
		g.out.WriteByte('}')
	}
	g.out.WriteByte('\n')
}

func (g *generator) brokers() {
	for _, c := range centres {
		for i := range int32(brokersPerCentre) {
			g.add(metalog.RegisterBroker{
				ID:   c.first + i,
				Host: fmt.Sprintf("kafka-%d.%s.example.org", c.first+i, c.name),
				Port: 9092,
				Rack: fmt.Sprintf("%s-%c", c.name, 'a'+i),
			})
		}
	}
}

// replicas spreads a partition over the brokers of a data centre; shift says
// which of them leads.
func replicas(centre string, shift int) events.BrokerIDs {
	ids := make(events.BrokerIDs, replication)
	for _, c := range centres {
		if c.name != centre {
			continue
		}
		for i := range ids {
			ids[i] = c.first + int32((shift+i)%brokersPerCentre)
		}
	}
	return ids
}

func (g *generator) internalTopics() {
	const partitions = 50 // as system.init creates them
	g.add(metalog.InitSystem{})
	for _, topic := range []string{metalog.ConsumerOffsetsTopic, metalog.TransactionStateTopic} {
		for p := range partitions {
			g.add(metalog.AssignPartition{Topic: topic, Partition: int32(p), Replicas: replicas("eqiad", p)})
		}
	}
}

// topic writes a topic with all that hangs on it, and notes the offsets that its
// group commits.
func (g *generator) topic(s stream, name string) {
	g.topics++
	partitions := g.partitions()
	create := metalog.CreateTopic{Name: name, Partitions: partitions, ReplicationFactor: replication, Config: s.config()}
	for p := range partitions {
		create.Assignments = append(create.Assignments, metalog.TopicAssignment{
			Replicas: replicas(dataCentre(name), g.topics+int(p)),
		})
	}
	g.add(create)
	withSegments := g.rng.IntN(3) == 0
	for p := range partitions {
		high, logStart := g.watermarks(s.Keyed)
		g.add(metalog.AdvanceWatermarks{Topic: name, Partition: p, High: &high, LogStart: &logStart})
		if withSegments {
			g.segments(name, p, logStart, high)
		}
		g.groups[s.job()] = append(g.groups[s.job()], metalog.OffsetCommit{
			Topic: name, Partition: p, Offset: high - g.rng.Int64N(min(high-logStart, 5000)),
		})
	}
}

// partitions gives most topics one, and a few many.
func (g *generator) partitions() int32 {
	switch n := g.rng.IntN(20); {
	case n < 13:
		return 1
	case n < 18:
		return 3
	}
	return 6
}

// watermarks returns a range of offsets that is never empty. A keyed topic is
// compacted, so its log starts at 0.
func (g *generator) watermarks(keyed bool) (high, logStart int64) {
	high = 1000 + g.rng.Int64N(1<<(12+g.rng.IntN(18)))
	if keyed {
		return high, 0
	}
	return high, g.rng.Int64N(high)
}

// segments covers the offsets from logStart to below high, and for some adds a
// rewrite of the oldest segment by column.
func (g *generator) segments(topic string, partition int32, logStart, high int64) {
	count := min(1+g.rng.Int64N(4), high-logStart)
	first := newest.Add(-time.Duration(count) * 24 * time.Hour)
	for i := range count {
		start := logStart + (high-logStart)*i/count
		end := logStart + (high-logStart)*(i+1)/count - 1
		from := first.Add(time.Duration(i) * 24 * time.Hour)
		g.segment(topic, partition, events.SegmentLog, start, end, from)
		if i == 0 && g.rng.IntN(3) == 0 {
			g.segment(topic, partition, events.SegmentColumnar, start, end, from)
		}
	}
}

func (g *generator) segment(topic string, partition int32, kind events.SegmentKind, start, end int64, from time.Time) {
	records := end - start + 1
	g.add(metalog.AddSegment{Topic: topic, Partition: partition, SegmentInfo: metalog.SegmentInfo{
		ID:           fmt.Sprintf("%d-%020d-%s", partition, start, kind),
		Kind:         kind,
		StartOffset:  start,
		EndOffset:    end,
		SizeBytes:    records * (200 + g.rng.Int64N(800)),
		RecordCount:  records,
		Path:         fmt.Sprintf("%s-%d/%020d.%s", topic, partition, start, kind),
		MinTimestamp: events.TimeOf(from),
		MaxTimestamp: events.TimeOf(from.Add(24*time.Hour - time.Nanosecond)),
	}})
}

// commits writes the groups and their offsets, many in a command.
func (g *generator) commits() {
	for _, id := range slices.Sorted(maps.Keys(g.groups)) {
		g.add(metalog.CreateGroup{ID: id, ProtocolType: "consumer", Protocol: "range"})
		for offsets := range slices.Chunk(g.groups[id], offsetsPerCommit) {
			g.add(metalog.CommitOffsets{Group: id, Offsets: offsets})
		}
	}
}
