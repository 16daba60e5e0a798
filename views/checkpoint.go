package views

import (
	"encoding/json"

	"github.com/metalog/metalog/events"
)

// SchemaVersion is the version of buckets, keys and rows. Views of another
// version are not comparable by digest; they are rebuilt. A pruned archive has no
// records to rebuild them from: whoever raises it also makes the archive's base (see
// replay.Bases) readable when it is of the version before.
const SchemaVersion = 1

// Checkpoint is the last record that views hold, and what they hold then. Of
// the same log and schema version, views at the same seq have equal checkpoints.
type Checkpoint struct {
	Seq    uint64      `cbor:"1,keyasint" json:"seq"`    // 0: nothing was applied yet
	Hash   events.Hash `cbor:"2,keyasint" json:"hash"`   // of the record's frame
	Time   events.Time `cbor:"3,keyasint" json:"time"`   // of the record
	Digest events.Hash `cbor:"4,keyasint" json:"digest"` // of all primary rows
	Events uint64      `cbor:"5,keyasint" json:"events"` // in all records up to Seq
	Counts Counts      `cbor:"6,keyasint" json:"counts"`
	// CommandsEvicted: the command ids of all records up to this seq are
	// forgotten.
	CommandsEvicted uint64 `cbor:"7,keyasint" json:"commands_evicted"`
	// CommandWindow is the log's: here because each record needs it.
	CommandWindow uint64 `cbor:"9,keyasint" json:"command_window"`
	SchemaVersion uint64 `cbor:"8,keyasint" json:"schema_version"`
}

// Head returns the checkpoint's position in the log.
func (c Checkpoint) Head() events.Head { return events.Head{Seq: c.Seq, Hash: c.Hash} }

// Counts are the numbers of rows of the primary buckets, by bucket. Rows that
// wait to be purged count.
type Counts [primaryEnd]uint64

// ByNoun returns the counts by the name of what is counted: topics, segments,
// brokers, assignments, watermarks, groups, offsets, configs, cluster,
// transactions, transaction_partitions, transaction_groups, pending_offsets,
// cascades, commands.
func (c Counts) ByNoun() map[string]uint64 {
	byNoun := make(map[string]uint64, len(c))
	for b := bucketTopics; b < primaryEnd; b++ {
		byNoun[b.String()] = c[b]
	}
	return byNoun
}

func (c Counts) sum() (rows int64) {
	for _, n := range c {
		rows += int64(n)
	}
	return rows
}

// MarshalJSON writes the counts by noun.
func (c Counts) MarshalJSON() ([]byte, error) { return json.Marshal(c.ByNoun()) }
