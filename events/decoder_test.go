package events

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// checkDecoder compares what a decoder makes of bytes with what the codec alone
// does.
func checkDecoder(t testing.TB, d *Decoder, data []byte) {
	t.Helper()
	got, gotErr := d.Decode(data)
	want, wantErr := decodeAny(data)
	switch {
	case (gotErr == nil) != (wantErr == nil), gotErr != nil && gotErr.Error() != wantErr.Error():
		t.Errorf("%x: error %v, the codec's is %v", data, gotErr, wantErr)
	case gotErr != nil && !errors.Is(gotErr, ErrCorrupt):
		t.Errorf("%x: error %v, want ErrCorrupt", data, gotErr)
	case !reflect.DeepEqual(got, want):
		t.Errorf("%x:\n%+v, the codec makes\n%+v of it", data, got, want)
	}
}

// frequentRecord has the payloads that are decoded by hand, at the ends of what
// they can hold.
func frequentRecord() *Record {
	ref := filled(TypeOffsetCommitted).(*OffsetCommitted).OffsetRef
	most, least := ref, ref
	most.GroupID, most.Partition = math.MaxUint64, math.MaxInt32
	least.GroupID, least.Partition, least.Group = 0, math.MinInt32, ""
	partition := filled(TypeHighWatermarkAdvanced).(*HighWatermarkAdvanced).PartitionRef
	return &Record{Seq: math.MaxUint64, Time: math.MaxInt64, Facts: []Fact{
		{&OffsetCommitted{ref, OffsetInfo{Offset: 23, LeaderEpoch: 24, Metadata: "m"}}, false, NoCause},
		{&OffsetCommitted{most, OffsetInfo{Offset: math.MaxInt64, LeaderEpoch: math.MaxInt32}}, false, NoCause},
		{&OffsetCommitted{least, OffsetInfo{Offset: math.MinInt64, LeaderEpoch: -1}}, true, 1},
		{&OffsetDeleted{most}, true, 0},
		{&OffsetExpired{least}, true, NoCause},
		{&HighWatermarkAdvanced{partition, 1 << 32, 1 << 16}, false, NoCause},
		{&HighWatermarkAdvanced{partition, -1 << 40, -25}, false, NoCause},
	}}
}

func someRecords() map[string]*Record {
	records := map[string]*Record{"envelope": fullRecord(), "frequent": frequentRecord()}
	for _, typ := range Types() {
		records[typ.String()] = recordOf(typ)
	}
	return records
}

// What AppendRecord writes is decoded by hand, or else the decoder is of no use.
func TestDecoderKnowsWhatIsWritten(t *testing.T) {
	for name, rec := range someRecords() {
		d := Decoder{names: make([]string, fewNames)}
		got := d.written(encode(t, rec))
		if !reflect.DeepEqual(got, rec) {
			t.Errorf("%s: decoded\n%+v, want\n%+v", name, got, rec)
		}
	}
}

// The types that are decoded by hand have the version that is. When one of them gets
// another version, take it out of Decoder.frequent, or teach it the new one.
func TestFrequentVersions(t *testing.T) {
	for _, typ := range Types() {
		d := Decoder{names: make([]string, fewNames)}
		if d.frequent(&peeker{}, typ, 1) != nil && schemaVersion(typ) != frequentVersion {
			t.Errorf("%s: version %d is decoded by hand, version %d is written", typ, frequentVersion, schemaVersion(typ))
		}
	}
}

// TestDecoderLikeCodec changes each byte of records in several ways, cuts them, and
// adds to them.
func TestDecoderLikeCodec(t *testing.T) {
	d := new(Decoder)
	for name, rec := range someRecords() {
		t.Run(name, func(t *testing.T) {
			data := encode(t, rec)
			checkDecoder(t, d, data)
			checkDecoder(t, d, append(data, 0))
			for i, b := range data {
				checkDecoder(t, d, data[:i])
				for _, other := range []byte{b + 1, b - 1, b ^ 0x20, b ^ 0x80, 0, 0x18, 0x1b, 0x40, 0x60, 0x80, 0xa0, 0xf6, 0xff} {
					data[i] = other
					checkDecoder(t, d, data)
				}
				data[i] = b
			}
		})
	}
}

// TestDecoderLikeCodecOtherwise encodes records in other ways than AppendRecord.
func TestDecoderLikeCodecOtherwise(t *testing.T) {
	d := new(Decoder)
	rapid.Check(t, func(rt *rapid.T) {
		var o otherwise
		o.record(rt)
		checkDecoder(t, d, o.data)
	})
}

// otherwise writes records, now and then in another way than the deterministic one.
type otherwise struct{ data []byte }

func (o *otherwise) head(rt *rapid.T, major byte, argument uint64) {
	size := map[bool]int{true: 0, false: 1}[argument < 24]
	for _, limit := range []uint64{math.MaxUint8, math.MaxUint16, math.MaxUint32} {
		if argument > limit {
			size++
		}
	}
	if rapid.IntRange(0, 40).Draw(rt, "longer") == 0 && size < 4 {
		size++
	}
	if size == 0 {
		o.data = append(o.data, major<<5|byte(argument))
		return
	}
	o.data = append(o.data, major<<5|byte(23+size))
	for shift := 8<<(size-1) - 8; shift >= 0; shift -= 8 {
		o.data = append(o.data, byte(argument>>shift))
	}
}

func (o *otherwise) number(rt *rapid.T) {
	n := rapid.SampledFrom([]uint64{0, 1, 5, 23, 24, 255, 256, 1 << 16, 1<<31 - 1, 1 << 31, 1 << 32, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}).Draw(rt, "n")
	o.head(rt, rapid.SampledFrom([]byte{cborUint, cborUint, cborUint, cborNegative}).Draw(rt, "sign"), n)
}

func (o *otherwise) text(rt *rapid.T, major byte, length int) {
	o.head(rt, major, uint64(length))
	o.data = append(o.data, strings.Repeat("x", length)...)
	if length > 0 && rapid.IntRange(0, 30).Draw(rt, "odd") == 0 {
		o.data[len(o.data)-1] = 0xff
	}
}

// usually is 0 most of the time.
func usually(rt *rapid.T) int {
	return max(0, rapid.IntRange(-30, 2).Draw(rt, "usually"))
}

func (o *otherwise) record(rt *rapid.T) {
	o.head(rt, cborArray, 6)
	o.head(rt, cborUint, recordVersion)
	o.head(rt, cborUint, 7)
	o.head(rt, cborUint, 1000)
	o.text(rt, cborBytes, 32)
	o.meta(rt)
	n := rapid.IntRange(0, 4).Draw(rt, "events")
	o.head(rt, cborArray, uint64(n))
	for range n {
		o.event(rt)
	}
}

func (o *otherwise) meta(rt *rapid.T) {
	fields := rapid.SliceOfN(rapid.IntRange(1, 6), 0, 3).Draw(rt, "meta")
	o.head(rt, cborMap, uint64(len(fields)))
	for _, field := range fields {
		o.head(rt, cborUint, uint64(field))
		switch field {
		case 2:
			o.text(rt, cborBytes, 3*rapid.IntRange(0, 1).Draw(rt, "hash"))
		case 4:
			o.head(rt, cborArray, uint64(2+usually(rt)))
			o.head(rt, cborUint, 3)
			o.number(rt)
		default:
			o.text(rt, cborText, rapid.IntRange(0, 3).Draw(rt, "length"))
		}
	}
}

func (o *otherwise) event(rt *rapid.T) {
	types := []Type{TypeOffsetCommitted, TypeOffsetDeleted, TypeOffsetExpired, TypeHighWatermarkAdvanced, TypeTopicPurged}
	typ := rapid.SampledFrom(types).Draw(rt, "type")
	o.head(rt, cborArray, 5)
	o.head(rt, cborUint, uint64(typ))
	o.head(rt, cborUint, uint64(1+usually(rt)))
	o.head(rt, cborUint, uint64(rapid.IntRange(0, 1).Draw(rt, "flags")+usually(rt)))
	o.head(rt, cborNegative, 0)
	fields := map[Type]string{
		TypeOffsetCommitted: "tntbnnnt", TypeOffsetDeleted: "tntbn", TypeOffsetExpired: "tntbn",
		TypeHighWatermarkAdvanced: "tbnnn", TypeTopicPurged: "tb",
	}[typ]
	fields = fields[:len(fields)-usually(rt)%len(fields)]
	o.head(rt, cborMap, uint64(len(fields)))
	for i, kind := range fields {
		o.head(rt, cborUint, uint64(1+i+usually(rt)))
		switch kind {
		case 't':
			o.text(rt, cborText, 4)
		case 'b':
			o.text(rt, cborBytes, 16-usually(rt))
		case 'n':
			o.number(rt)
		}
	}
}

// Names are one string whatever they were decoded with, and different ones stay
// apart.
func TestDecoderNames(t *testing.T) {
	d := new(Decoder)
	for i := range 3 * manyNames {
		name := strings.Repeat("g", i%50) + string(rune('a'+i%7))
		e := &OffsetCommitted{OffsetRef: OffsetRef{Group: name, Topic: name + "t"}}
		rec, err := d.Decode(encode(t, &Record{Seq: 1, Facts: []Fact{{Event: e, Cause: NoCause}}}))
		if err != nil || !reflect.DeepEqual(rec.Facts[0].Event, e) {
			t.Fatalf("%q: %+v, %v", name, rec, err)
		}
	}
}

// A record keeps nothing of the bytes that it was decoded from.
func TestDecoderKeepsNoBytes(t *testing.T) {
	for name, rec := range someRecords() {
		data := encode(t, rec)
		got, err := new(Decoder).Decode(data)
		clear(data)
		if err != nil || !reflect.DeepEqual(got, rec) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	for _, rec := range someRecords() {
		f.Add(encode(f, rec))
	}
	d := new(Decoder)
	f.Fuzz(func(t *testing.T, data []byte) { checkDecoder(t, d, data) })
}

func BenchmarkDecode(b *testing.B) {
	for name, offsets := range map[string]int{"offsets=1": 1, "offsets=50": 50} {
		b.Run(name, func(b *testing.B) {
			rec := recordOf(TypeOffsetCommitted)
			rec.Facts = rec.Facts[:0]
			for range offsets {
				e := *filled(TypeOffsetCommitted).(*OffsetCommitted)
				e.Metadata = ""
				rec.Facts = append(rec.Facts, Fact{Event: &e, Cause: NoCause})
			}
			data := encode(b, rec)
			d := new(Decoder)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*offsets)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
