package events

import (
	"bytes"
	"math"
	"testing"
)

// A record that is taken apart and put together again has the same bytes, whatever
// sizes its numbers have.
func TestSplitRecord(t *testing.T) {
	t.Parallel()
	numbers := []uint64{1, 23, 24, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64}
	for _, seq := range numbers {
		for _, at := range append(numbers, 0) {
			rec := &Record{Seq: seq, Time: Time(at), Prev: Hash{1, 2, 31: 3}, Facts: []Fact{{Event: &TopicDeleted{}, Cause: NoCause}}}
			data, err := AppendRecord(nil, rec)
			if err != nil {
				t.Fatal(err)
			}
			gotSeq, gotTime, prev, rest, err := SplitRecord(data)
			if err != nil || gotSeq != seq || gotTime != rec.Time || prev != rec.Prev {
				t.Fatalf("seq %d, time %d: %d, %d, %v, %v", seq, at, gotSeq, gotTime, prev, err)
			}
			if again := JoinRecord([]byte("x"), seq, gotTime, prev, rest); !bytes.Equal(again[1:], data) {
				t.Fatalf("seq %d, time %d: joined %x, want %x", seq, at, again, data)
			}
			if n := JoinedSize(seq, gotTime, rest); n != len(data) {
				t.Fatalf("seq %d, time %d: the size is told as %d, it is %d", seq, at, n, len(data))
			}
			for n := range len(data) - len(rest) {
				if _, _, _, _, err := SplitRecord(data[:n]); err == nil {
					t.Fatalf("%d bytes of it are taken for a record", n)
				}
			}
		}
	}
}
