package views

import (
	"math/big"
	"testing"

	"github.com/metalog/metalog/events"
)

func TestHashSum(t *testing.T) {
	ones := events.Hash{}
	for i := range ones {
		ones[i] = 0xff
	}
	one := events.Hash{31: 1}
	tests := []struct {
		name string
		a, b events.Hash
	}{
		{"zero", events.Hash{}, events.Hash{}},
		{"wraps", ones, one},
		{"carry across all limbs", events.Hash{15: 1}, ones},
		{"any", rowHash(row(1), nil), rowHash(row(2), nil)},
	}
	modulus := new(big.Int).Lsh(big.NewInt(1), 256)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, b := new(big.Int).SetBytes(test.a[:]), new(big.Int).SetBytes(test.b[:])
			sum := test.a
			addHash(&sum, test.b)
			if want := a.Add(a, b).Mod(a, modulus); new(big.Int).SetBytes(sum[:]).Cmp(want) != 0 {
				t.Errorf("sum %s, want %x", sum, want)
			}
			subHash(&sum, test.b)
			if sum != test.a {
				t.Errorf("the sum less b is %s, want %s", sum, test.a)
			}
		})
	}
}

// TestRowHashParts: bucket, key and value are told apart.
func TestRowHashParts(t *testing.T) {
	seen := map[events.Hash]string{}
	for name, h := range map[string]events.Hash{
		"ab, c":       rowHash(bucketTopics.key().string("ab"), []byte("c")),
		"a, bc":       rowHash(bucketTopics.key().string("a"), []byte("bc")),
		"abc, none":   rowHash(bucketTopics.key().string("abc"), nil),
		"other, ab c": rowHash(bucketSegments.key().string("ab"), []byte("c")),
	} {
		if other, there := seen[h]; there {
			t.Errorf("%q and %q have the same hash", name, other)
		}
		seen[h] = name
	}
}

// TestDigestIgnoresOrder makes the same rows in another order, with detours, and
// flushed at other points.
func TestDigestIgnoresOrder(t *testing.T) {
	db, tx := mustOpen(t)
	const n = 50
	for i := range n {
		must(t, tx.put(row(i), []byte{byte(i)}))
	}
	commit(t, tx)
	other, otherTx := mustOpen(t)
	for i := n; i >= 0; i-- {
		must(t, otherTx.put(row(i), []byte("detour")))
		if i%10 == 0 {
			commit(t, otherTx)
			must(t, other.FlushAll(t.Context()))
		}
		must(t, otherTx.put(row(i), []byte{byte(i)}))
	}
	must(t, otherTx.remove(row(n)))
	commit(t, otherTx)
	if a, b := db.Checkpoint(), other.Checkpoint(); a.Digest != b.Digest || a.Counts != b.Counts {
		t.Errorf("the same rows have digests %s and %s, counts %v and %v", a.Digest, b.Digest, a.Counts, b.Counts)
	}
	must(t, otherTx.put(row(0), []byte("changed")))
	if otherTx.Digest() == db.Checkpoint().Digest {
		t.Error("a changed row left the digest as it was")
	}
	must(t, otherTx.put(row(0), []byte{0}))
	commit(t, otherTx)
}
