package main

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/metalog/metalog/tests/bench/suite/peers"
)

// What is stored: the offsets that groups have committed for the partitions of a
// topic. A size is how many rows of these there are before anything is measured.
const (
	partitions    = 50    // of the topic
	commitGroups  = 1_000 // that commits are of
	offsetsTopic  = "orders"
	offsetDetails = "consumer-17@host-042" // with offset, epoch and time: 40 bytes
)

// shape is how a number of rows is spread.
type shape struct {
	rows   int
	groups int // each has rows/groups partitions, at most 50
}

func shapeOf(rows int) shape {
	return shape{rows: rows, groups: max(commitGroups, (rows+partitions-1)/partitions)}
}

// loaded is of how many partitions a group has offsets before the measuring.
func (s shape) loaded() int { return min(partitions, (s.rows+s.groups-1)/s.groups) }

// commitGroup is the nth of the groups that commits are of: they stand far from each
// other among all.
func (s shape) commitGroup(n int) int { return n % commitGroups * (s.groups / commitGroups) }

func groupID(n int) string { return fmt.Sprintf("group-%07d", n) }

// offsetKey is of a group's offset for a partition.
func offsetKey(group string, partition int) []byte {
	return fmt.Appendf(offsetPrefix(group), "%02d", partition)
}

func offsetPrefix(group string) []byte {
	key := make([]byte, 0, 40)
	key = append(key, "o/"...)
	key = append(key, group...)
	return append(key, "/"+offsetsTopic+"/"...)
}

// offsetValue is what a commit stores: offset, leader epoch, time, metadata.
func offsetValue(offset, now int64) []byte {
	value := make([]byte, 0, 40)
	value = binary.BigEndian.AppendUint64(value, uint64(offset))
	value = binary.BigEndian.AppendUint32(value, leaderEpoch)
	value = binary.BigEndian.AppendUint64(value, uint64(now))
	return append(value, offsetDetails...)
}

const leaderEpoch = 7

// offsetOf reads the offset in a value.
func offsetOf(value []byte) (int64, error) {
	if len(value) < 20 {
		return 0, fmt.Errorf("%d bytes are no offset", len(value))
	}
	return int64(binary.BigEndian.Uint64(value)), nil
}

// all are a shape's rows in key order.
func (s shape) all() iter.Seq[peers.Row] {
	return func(yield func(peers.Row) bool) {
		value := offsetValue(1, 1)
		for g := range s.groups {
			id := groupID(g)
			for p := range s.loaded() {
				if !yield(peers.Row{Key: offsetKey(id, p), Value: value}) {
					return
				}
			}
		}
	}
}
