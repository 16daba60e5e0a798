package events

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// What is written by hand is what the codec writes.
func TestAppendLikeCodec(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	number := func() int64 {
		edges := []int64{0, 23, 24, 255, 256, 65535, 65536, math.MaxInt32, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64, -1, -24, -25, -257, math.MinInt64}
		return edges[random.IntN(len(edges))]
	}
	text := func() string { return strings.Repeat("é", []int{0, 1, 11, 12, 127, 128, 40_000}[random.IntN(7)]) }
	for range 2000 {
		id := uuid.UUID(bytes.Repeat([]byte{byte(random.Uint32())}, 16))
		ref := OffsetRef{Group: text(), GroupID: uint64(number()), Topic: text(), TopicID: id, Partition: int32(number())}
		info := OffsetInfo{Offset: number(), LeaderEpoch: int32(number()), Metadata: text()}
		for _, event := range []Event{
			&OffsetCommitted{ref, info}, &OffsetDeleted{ref}, &OffsetExpired{ref},
			&HighWatermarkAdvanced{PartitionRef: PartitionRef{text(), id, int32(number())}, HighWatermark: number(), LeaderEpoch: int32(number())},
		} {
			if v := schemaVersion(event.Type()); v != frequentVersion {
				t.Fatalf("%s has version %d now: leave it to the codec", event.Type(), v)
			}
			got, err := appendPayload(nil, event)
			if want := mustMarshal(t, event); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%+v: got %x, %v, want %x", event, got, err, want)
			}
		}
		meta := Meta{CommandID: text(), CommandHash: []byte(text()), Actor: text(), Reason: text()}
		if random.IntN(2) == 0 {
			meta.Cause = &Position{Seq: uint64(number()), Index: int(number())}
		}
		if got, want := appendMeta(nil, &meta), mustMarshal(t, meta); !bytes.Equal(got, want) {
			t.Fatalf("%+v: got %x, want %x", meta, got, want)
		}
	}
}
