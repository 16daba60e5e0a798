package views

import (
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// bucket is the number of a bbolt bucket. It begins every key of the pending
// rows and is part of the digest, so a number is never used again for another
// bucket within a schema version.
type bucket byte

// The primary buckets: what the digest covers.
const (
	bucketTopics bucket = 1 + iota
	bucketSegments
	bucketBrokers
	bucketAssignments
	bucketWatermarks
	bucketGroups
	bucketOffsets
	bucketConfigs
	bucketCluster
	bucketTransactions
	bucketTxnPartitions
	bucketTxnGroups
	bucketTxnOffsets
	bucketCascades
	bucketCommands

	primaryEnd // one beyond the last primary bucket
)

// The indexes: they follow from the primary rows.
const (
	bucketTopicsByName bucket = 32 + iota
	bucketSegmentsByOffset
	bucketPartitionsByBroker
	bucketGroupsByName
	bucketOffsetsByTopic
	bucketTransactionsByProducer
	bucketTxnPartitionsByTopic
	bucketTxnGroupsByGroup
	bucketTxnOffsetsByTopic
	bucketTxnOffsetsByGroup
	bucketCommandsBySeq

	bucketEnd // one beyond the last bucket
)

// bucketNames are the buckets' names in the file; those of primary buckets are
// the nouns of [Counts].
var bucketNames = map[bucket]string{
	bucketTopics:        "topics",
	bucketSegments:      "segments",
	bucketBrokers:       "brokers",
	bucketAssignments:   "assignments",
	bucketWatermarks:    "watermarks",
	bucketGroups:        "groups",
	bucketOffsets:       "offsets",
	bucketConfigs:       "configs",
	bucketCluster:       "cluster",
	bucketTransactions:  "transactions",
	bucketTxnPartitions: "transaction_partitions",
	bucketTxnGroups:     "transaction_groups",
	bucketTxnOffsets:    "pending_offsets",
	bucketCascades:      "cascades",
	bucketCommands:      "commands",

	bucketTopicsByName:           "topics_by_name",
	bucketSegmentsByOffset:       "segments_by_offset",
	bucketPartitionsByBroker:     "partitions_by_broker",
	bucketGroupsByName:           "groups_by_name",
	bucketOffsetsByTopic:         "offsets_by_topic",
	bucketTransactionsByProducer: "transactions_by_producer",
	bucketTxnPartitionsByTopic:   "transaction_partitions_by_topic",
	bucketTxnGroupsByGroup:       "transaction_groups_by_group",
	bucketTxnOffsetsByTopic:      "pending_offsets_by_topic",
	bucketTxnOffsetsByGroup:      "pending_offsets_by_group",
	bucketCommandsBySeq:          "commands_by_seq",
}

func (b bucket) String() string { return bucketNames[b] }

func (b bucket) primary() bool { return b < primaryEnd }

// key is a bucket's number followed by the key in that bucket. Numbers in it are
// big-endian, so that keys sort as their parts do; none of them is negative.
type key []byte

// keyCapacity holds every key of fixed width, so that building one allocates
// once at most.
const keyCapacity = 48

func (b bucket) key() key { return append(make(key, 0, keyCapacity), byte(b)) }

func (k key) uuid(id uuid.UUID) key               { return append(k, id[:]...) }
func (k key) uint64(n uint64) key                 { return binary.BigEndian.AppendUint64(k, n) }
func (k key) int64(n int64) key                   { return k.uint64(uint64(n)) }
func (k key) int32(n int32) key                   { return binary.BigEndian.AppendUint32(k, uint32(n)) }
func (k key) byte(b byte) key                     { return append(k, b) }
func (k key) string(s string) key                 { return append(k, s...) }
func (k key) bucket() bucket                      { return bucket(k[0]) }
func (k key) inBucket() []byte                    { return k[1:] }
func (k key) partition(id uuid.UUID, p int32) key { return k.uuid(id).int32(p) }

// after returns the smallest key that is greater than all keys with prefix k.
func (k key) after() key {
	end := append(key(nil), k...)
	for i := len(end) - 1; ; i-- {
		// Ends at the bucket's number at the latest, which is never 255.
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
}

// keyParts takes a key in a bucket apart, from left to right.
type keyParts struct {
	rest []byte
	bad  bool // the key was too short
}

func (p *keyParts) take(n int) []byte {
	if len(p.rest) < n {
		p.bad = true
		return make([]byte, n)
	}
	part := p.rest[:n]
	p.rest = p.rest[n:]
	return part
}

func (p *keyParts) uuid() uuid.UUID { return uuid.UUID(p.take(16)) }
func (p *keyParts) uint64() uint64  { return binary.BigEndian.Uint64(p.take(8)) }
func (p *keyParts) int64() int64    { return int64(p.uint64()) }
func (p *keyParts) int32() int32    { return int32(binary.BigEndian.Uint32(p.take(4))) }

// string takes what is left.
func (p *keyParts) string() string {
	s := string(p.rest)
	p.rest = nil
	return s
}

// end reports a key that was shorter or longer than its parts.
func (p *keyParts) end(b bucket) error {
	if p.bad || len(p.rest) > 0 {
		return events.Errorf(events.CodeCorrupt, "views: a key in %s has the wrong length; rebuild the views", b)
	}
	return nil
}
