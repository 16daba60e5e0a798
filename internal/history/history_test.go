package history

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/metalog/metalog/events"
)

func TestFilterDeniesNothingThatIsThere(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 10, 1000, 50_000} {
		keys := map[uint64]struct{}{}
		for len(keys) < n {
			keys[uint64(OffsetKey(random.Uint64N(1000), uuid.UUID{1: byte(len(keys))}, int32(len(keys))))] = struct{}{}
		}
		f := newFilter(keys)
		for k := range keys {
			if !f.has(k) {
				t.Fatalf("of %d keys, %x is denied", n, k)
			}
		}
		passed := 0
		for range 10_000 {
			if f.has(random.Uint64()) {
				passed++
			}
		}
		if passed > 200 {
			t.Errorf("of 10,000 keys that are not among %d, %d pass", n, passed)
		}
	}
}

// TestKeysStay holds the hashes that stand in files.
func TestKeysStay(t *testing.T) {
	id := uuid.MustParse("01234567-89ab-7def-8123-456789abcdef")
	for want, got := range map[Key]Key{
		0x4ab20ee20a1e9274: GroupKey(7),
		0x4782b9f65f1af177: OffsetKey(7, id, 3),
		0x8cebeea8a3ed5900: TopicKey(id),
		0x4e3c2da236b516b8: PartitionKey(id, 3),
	} {
		if got != want {
			t.Errorf("got %#x, want %#x: a change needs another version", uint64(got), uint64(want))
		}
	}
}

func TestHitRoundTrip(t *testing.T) {
	id := events.Identity{Kind: events.KindTopic, TopicID: uuid.UUID{3, 4}}
	for _, want := range []Hit{
		{Partition: NoPartition, number: 1},
		{Position: events.Position{Seq: 1 << 60, Index: 4096}, Offset: 1 << 40, Type: 123, Derived: true, Partition: 99_999, Segment: SegmentHint("s"), number: 1 << 50},
		{Position: events.Position{Seq: 5}, Type: events.TypeSegmentsCompacted, Segment: AnySegment, number: 3},
	} {
		k := positionKey(entityKey(id), want.Position)
		v := seal(k, want.encode())
		if got, err := decodeHit(k, v); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		for i := range v {
			v[i] ^= 0x10
			if _, err := decodeHit(k, v); !errors.Is(err, ErrDamaged) {
				t.Errorf("byte %d is another one: %v", i, err)
			}
			v[i] ^= 0x10
		}
		if _, err := decodeHit(positionKey(entityKey(id), After(want.Position)), v); !errors.Is(err, ErrDamaged) {
			t.Errorf("under another key: %v", err)
		}
	}
	if h := SegmentHint("a"); h == 0 || h == AnySegment {
		t.Errorf("hint %d", h)
	}
}

// TestCursorRanges goes through rows of one entity beside others, in every range and
// both directions.
func TestCursorRanges(t *testing.T) {
	x := &Index{}
	var err error
	if x.bolt, err = bbolt.Open(filepath.Join(t.TempDir(), "history.db"), 0o600, nil); err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	id := events.Identity{Kind: events.KindGroup, Number: 7}
	var all []events.Position
	err = x.bolt.Update(func(tx *bbolt.Tx) error {
		for _, b := range buckets {
			if _, err := tx.CreateBucket(b); err != nil {
				return err
			}
		}
		for _, other := range []int64{6, 7, 8} {
			e := events.Identity{Kind: events.KindGroup, Number: other}
			n := uint64(0)
			for seq := uint64(2); seq < 60; seq += 3 {
				for i := range 2 {
					n++
					h := Hit{Position: events.Position{Seq: seq, Index: i * 5}, number: n}
					if e == id {
						all = append(all, h.Position)
					}
					if err := put(tx, bucketEvents, positionKey(entityKey(e), h.Position), h.encode()); err != nil {
						return err
					}
				}
			}
			if err := putValue(tx, bucketEntities, entityKey(e), entityRow{Count: n}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for lo := uint64(0); lo < 65; lo += 2 {
		for hi := uint64(0); hi < 65; hi++ {
			in := Range{events.Position{Seq: lo, Index: int(lo % 7)}, events.Position{Seq: hi, Index: int(hi % 7)}}
			want := slices.DeleteFunc(slices.Clone(all), func(p events.Position) bool {
				return Compare(p, in.Lo) < 0 || Compare(p, in.Hi) > 0
			})
			for _, back := range []bool{false, true} {
				got := drain(t, x.Events(id, in, back))
				if back {
					slices.Reverse(got)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%v, back %v: %v, want %v", in, back, got, want)
				}
			}
		}
	}
	missing(t, x, id, all)
}

func drain(t *testing.T, c *Cursor) (got []events.Position) {
	t.Helper()
	for {
		h, ok, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return got
		}
		got = append(got, h.Position)
	}
}

// missing takes rows away one by one, and wants each to be missed.
func missing(t *testing.T, x *Index, id events.Identity, all []events.Position) {
	t.Helper()
	whole := Range{Hi: events.Position{Seq: 1000}}
	for _, at := range all {
		key := positionKey(entityKey(id), at)
		var row []byte
		take := func(tx *bbolt.Tx) error {
			row = slices.Clone(tx.Bucket(bucketEvents).Get(key))
			return tx.Bucket(bucketEvents).Delete(key)
		}
		if err := x.bolt.Update(take); err != nil {
			t.Fatal(err)
		}
		for _, back := range []bool{false, true} {
			c := x.Events(id, whole, back)
			var err error
			for ok := true; ok && err == nil; {
				_, ok, err = c.Next()
			}
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("without %v, back %v: %v", at, back, err)
			}
		}
		if err := x.bolt.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketEvents).Put(key, row) }); err != nil {
			t.Fatal(err)
		}
	}
}
