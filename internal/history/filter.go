package history

import (
	"encoding/binary"

	"github.com/google/uuid"
)

// filter is a Bloom filter: it tells which of the keys that it was made of a
// segment may have. It never denies one that is there; of others it lets about one
// in a hundred pass.
type filter []byte

const (
	bitsPerKey = 10
	probes     = 7
)

func newFilter(keys map[uint64]struct{}) filter {
	f := make(filter, (len(keys)*bitsPerKey+7)/8)
	for k := range keys {
		f.each(k, func(b *byte, bit byte) bool { *b |= bit; return true })
	}
	return f
}

func (f filter) has(key uint64) bool {
	if len(f) == 0 {
		return false
	}
	found := true
	f.each(key, func(b *byte, bit byte) bool { found = *b&bit != 0; return found })
	return found
}

// each calls visit with the bits of a key, until it returns false. The positions
// are those of double hashing: the key has 64 bits, which serve as two hashes.
func (f filter) each(key uint64, visit func(b *byte, bit byte) bool) {
	bits := uint64(len(f)) * 8
	at, step := key>>32, key&0xffffffff|1
	for range probes {
		i := at % bits
		if !visit(&f[i/8], 1<<(i%8)) {
			return
		}
		at += step
	}
}

// Key is what scans look for: a group, an offset of one, a topic or a partition of
// one, that has events of a high rate.
type Key uint64

// GroupKey is for all offsets of a group.
func GroupKey(group uint64) Key { return hash('g', group, uuid.Nil, 0) }

// OffsetKey is for a group's offset in a partition.
func OffsetKey(group uint64, topic uuid.UUID, partition int32) Key {
	return hash('o', group, topic, partition)
}

// TopicKey is for the watermarks of all of a topic's partitions.
func TopicKey(topic uuid.UUID) Key { return hash('t', 0, topic, 0) }

// PartitionKey is for the watermarks of one.
func PartitionKey(topic uuid.UUID, partition int32) Key { return hash('p', 0, topic, partition) }

// hash mixes what a key is made of. It stands in files: it must never change
// without the version of rows.
func hash(kind byte, group uint64, topic uuid.UUID, partition int32) Key {
	h := mix(uint64(kind))
	h = mix(h ^ group)
	h = mix(h ^ binary.BigEndian.Uint64(topic[:8]))
	h = mix(h ^ binary.BigEndian.Uint64(topic[8:]))
	return Key(mix(h ^ uint64(uint32(partition))))
}

// mix is the finalizer of SplitMix64: a change of any bit changes half of all.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
