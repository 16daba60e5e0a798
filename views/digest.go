package views

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"github.com/metalog/metalog/events"
)

// The digest of views is the sum modulo 2^256 of the SHA-256 of each primary
// row, over
//
//	bucket number (1 byte) | key length (4 bytes, big-endian) | key | value
//
// with the bucket's number left out of the key. A sum does not depend on the
// order of its terms, so it is the same whatever the order of puts and deletes
// and whenever rows were flushed; a change adds the new row's hash and takes the
// old one's away.

// rowHash returns the term of one row.
func rowHash[K key | string](k K, value []byte) events.Hash {
	var scratch [256]byte
	buf := append(scratch[:0], k[0])
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(k)-1))
	buf = append(buf, k[1:]...)
	return sha256.Sum256(append(buf, value...))
}

// addHash adds h to sum.
func addHash(sum *events.Hash, h events.Hash) {
	var carry uint64
	for i := len(sum) - 8; i >= 0; i -= 8 {
		var limb uint64
		limb, carry = bits.Add64(binary.BigEndian.Uint64(sum[i:]), binary.BigEndian.Uint64(h[i:]), carry)
		binary.BigEndian.PutUint64(sum[i:], limb)
	}
}

// subHash takes h away from sum.
func subHash(sum *events.Hash, h events.Hash) {
	var borrow uint64
	for i := len(sum) - 8; i >= 0; i -= 8 {
		var limb uint64
		limb, borrow = bits.Sub64(binary.BigEndian.Uint64(sum[i:]), binary.BigEndian.Uint64(h[i:]), borrow)
		binary.BigEndian.PutUint64(sum[i:], limb)
	}
}

// ComputeDigest reads every primary row and returns their digest and counts.
// They are those of [Reader.Checkpoint] unless the views are damaged.
func (r *Reader) ComputeDigest(ctx context.Context) (events.Hash, Counts, error) {
	var sum events.Hash
	var counts Counts
	for b := bucketTopics; b < primaryEnd; b++ {
		for row, err := range r.scan(b.key()) {
			if err != nil {
				return sum, counts, err
			}
			if counts[b]++; counts[b]%4096 == 0 && ctx.Err() != nil {
				return sum, counts, ctx.Err()
			}
			addHash(&sum, rowHash(b.key().string(string(row.key)), row.value))
		}
	}
	return sum, counts, nil
}
