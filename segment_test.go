package metalog_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

func segmentIDs(list []events.Segment) string {
	ids := make([]string, len(list))
	for i, s := range list {
		ids[i] = s.ID
	}
	return strings.Join(ids, " ")
}

func TestSegmentAddGetListDelete(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	topic := createTopic(s, "orders", 2)
	info := metalog.SegmentInfo{
		ID: "s0", StartOffset: 0, EndOffset: 99, SizeBytes: 1000, RecordCount: 100, Path: "p/s0.log", Checksum: "crc32c:1",
		MinTimestamp: 5, MaxTimestamp: 6, Attributes: events.Config{"codec": "zstd"},
	}
	added := s.Must(metalog.AddSegment{Topic: "orders", Partition: 1, SegmentInfo: info})
	s.Must(segment("orders", 0, "s1", 100, 199))
	s.Must(segment("orders", 0, "s2", 0, 99))

	got, err := s.GetSegment(t.Context(), "orders", "s0")
	if err != nil {
		t.Fatal(err)
	}
	if got.TopicID != topic.TopicID || got.Partition != 1 || got.Kind != events.SegmentLog || got.EndOffset != 99 || got.SizeBytes != 1000 ||
		got.Path != "p/s0.log" || got.Attributes["codec"] != "zstd" || got.Revision != added.Seq || got.CreatedAt != added.Time {
		t.Errorf("got %+v", got)
	}
	for partition, want := range map[int32]string{0: "s2 s1", 1: "s0", metalog.AllPartitions: "s2 s1 s0"} {
		list, err := metalog.Collect(s.ListSegments(t.Context(), "orders", partition))
		if err != nil || segmentIDs(list) != want {
			t.Errorf("partition %d: %s, %v; want %s", partition, segmentIDs(list), err, want)
		}
	}
	s.Must(metalog.DeleteSegment{Topic: "orders", ID: "s0"})
	if _, err := s.GetSegment(t.Context(), "orders", "s0"); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("after the delete: %v", err)
	}
	s.Must(segment("orders", 0, "s0", 200, 299)) // the id is free again
}

func TestSegmentFind(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	createTopic(s, "orders", 2)
	s.Must(segment("orders", 0, "a", 0, 99))
	s.Must(segment("orders", 0, "b", 100, 199))
	s.Must(segment("orders", 0, "long", 50, 400)) // overlaps, as after a change of leader
	s.Must(metalog.AddSegment{Topic: "orders", SegmentInfo: metalog.SegmentInfo{ID: "index", Kind: events.SegmentIndex, StartOffset: 500, EndOffset: 600}})
	tests := map[string]struct {
		partition int32
		offset    int64
		want      string
		err       error
	}{
		"first":          {0, 0, "a", nil},
		"of two":         {0, 50, "long", nil}, // the one that starts later
		"border":         {0, 100, "b", nil},
		"below overlap":  {0, 200, "long", nil},
		"last":           {0, 400, "long", nil},
		"beyond":         {0, 401, "", metalog.ErrNotFound},
		"only an index":  {0, 550, "", metalog.ErrNotFound},
		"other part":     {1, 0, "", metalog.ErrNotFound},
		"no such part":   {2, 0, "", metalog.ErrOutOfRange},
		"negative":       {0, -1, "", metalog.ErrOutOfRange},
		"largest offset": {0, 1<<63 - 1, "", metalog.ErrNotFound},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := s.FindSegment(t.Context(), "orders", test.partition, test.offset)
			if got.ID != test.want || !errors.Is(err, test.err) {
				t.Errorf("got %q, %v", got.ID, err)
			}
		})
	}
}

// A compaction replaces segments at once; a new one may take the id of one that
// it replaces.
func TestSegmentCompact(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	createTopic(s, "orders", 2)
	s.Must(segment("orders", 0, "a", 0, 99))
	s.Must(segment("orders", 0, "b", 100, 199))
	s.Must(segment("orders", 1, "other", 0, 9))
	done := s.Must(metalog.CompactSegments{Topic: "orders", Removed: []string{"a", "b"}, Added: []metalog.SegmentInfo{
		{ID: "a", StartOffset: 0, EndOffset: 199}, {ID: "c", Kind: events.SegmentColumnar, StartOffset: 0, EndOffset: 199},
	}})
	if got := s.Record(done.Seq); len(got) != 1 || got[0].Type != "SegmentsCompacted" {
		t.Errorf("record %v", types(got))
	}
	list, err := metalog.Collect(s.ListSegments(t.Context(), "orders", 0))
	if err != nil || segmentIDs(list) != "a c" || list[0].EndOffset != 199 || list[0].Revision != done.Seq {
		t.Errorf("%+v, %v", list, err)
	}
	compact := func(removed []string, added ...metalog.SegmentInfo) metalog.Command {
		return metalog.CompactSegments{Topic: "orders", Removed: removed, Added: added}
	}
	checkRejections(t, s, map[string]rejection{
		"nothing removed":     {cmd: compact(nil), want: metalog.ErrInvalid},
		"removed twice":       {cmd: compact([]string{"a", "a"}), want: metalog.ErrInvalid},
		"added twice":         {cmd: compact([]string{"a"}, metalog.SegmentInfo{ID: "x"}, metalog.SegmentInfo{ID: "x"}), want: metalog.ErrInvalid},
		"not there":           {cmd: compact([]string{"gone"}), want: metalog.ErrNotFound},
		"of other partition":  {cmd: compact([]string{"other"}), want: metalog.ErrInvalid},
		"added exists":        {cmd: compact([]string{"a"}, metalog.SegmentInfo{ID: "c"}), want: metalog.ErrAlreadyExists},
		"added other's id":    {cmd: compact([]string{"a"}, metalog.SegmentInfo{ID: "other"}), want: metalog.ErrAlreadyExists},
		"added without id":    {cmd: compact([]string{"a"}, metalog.SegmentInfo{}), want: metalog.ErrInvalid},
		"topic not there":     {cmd: metalog.CompactSegments{Topic: "nothing", Removed: []string{"a"}}, want: metalog.ErrNotFound},
		"partition not there": {cmd: metalog.CompactSegments{Topic: "orders", Partition: 2, Removed: []string{"a"}}, want: metalog.ErrOutOfRange},
	})
}

// What lies wholly below the log start offset can't come back, under an id that
// a compaction frees neither.
func TestSegmentBelowLogStart(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	createTopic(s, "orders", 1)
	s.Must(segment("orders", 0, "a", 0, 150))
	s.Must(metalog.AdvanceWatermarks{Topic: "orders", High: new(int64(200)), LogStart: new(int64(100))})
	s.Refused(metalog.ErrOutOfRange, segment("orders", 0, "b", 0, 99))
	for _, id := range []string{"a", "b"} {
		s.Refused(metalog.ErrOutOfRange, metalog.CompactSegments{Topic: "orders", Removed: []string{"a"}, Added: []metalog.SegmentInfo{{ID: id, EndOffset: 99}}})
	}
	s.Must(segment("orders", 0, "b", 0, 100))
}

func TestSegmentRejections(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	createTopic(s, "orders", 1)
	s.Must(segment("orders", 0, "a", 0, 9))
	with := func(info metalog.SegmentInfo) metalog.Command {
		return metalog.AddSegment{Topic: "orders", SegmentInfo: info}
	}
	checkRejections(t, s, map[string]rejection{
		"exists":              {cmd: segment("orders", 0, "a", 10, 19), want: metalog.ErrAlreadyExists},
		"topic not there":     {cmd: segment("nothing", 0, "b", 0, 9), want: metalog.ErrNotFound},
		"topic not named":     {cmd: segment("", 0, "b", 0, 9), want: metalog.ErrInvalid},
		"partition not there": {cmd: segment("orders", 1, "b", 0, 9), want: metalog.ErrOutOfRange},
		"negative partition":  {cmd: segment("orders", -1, "b", 0, 9), want: metalog.ErrInvalid},
		"no id":               {cmd: segment("orders", 0, "", 0, 9), want: metalog.ErrInvalid},
		"long id":             {cmd: segment("orders", 0, strings.Repeat("x", 256), 0, 9), want: metalog.ErrInvalid},
		"id not UTF-8":        {cmd: segment("orders", 0, "\xff", 0, 9), want: metalog.ErrInvalid},
		"negative start":      {cmd: segment("orders", 0, "b", -1, 9), want: metalog.ErrInvalid},
		"end before start":    {cmd: segment("orders", 0, "b", 5, 4), want: metalog.ErrInvalid},
		"unknown kind":        {cmd: with(metalog.SegmentInfo{ID: "b", Kind: "tape"}), want: metalog.ErrInvalid},
		"negative size":       {cmd: with(metalog.SegmentInfo{ID: "b", SizeBytes: -1}), want: metalog.ErrInvalid},
		"negative count":      {cmd: with(metalog.SegmentInfo{ID: "b", RecordCount: -1}), want: metalog.ErrInvalid},
		"long path":           {cmd: with(metalog.SegmentInfo{ID: "b", Path: strings.Repeat("x", 5000)}), want: metalog.ErrInvalid},
		"long checksum":       {cmd: with(metalog.SegmentInfo{ID: "b", Checksum: strings.Repeat("x", 5000)}), want: metalog.ErrInvalid},
		"attribute key":       {cmd: with(metalog.SegmentInfo{ID: "b", Attributes: events.Config{"": ""}}), want: metalog.ErrInvalid},
		"delete unknown":      {cmd: metalog.DeleteSegment{Topic: "orders", ID: "b"}, want: metalog.ErrNotFound},
		"delete in unknown":   {cmd: metalog.DeleteSegment{Topic: "nothing", ID: "a"}, want: metalog.ErrNotFound},
		"delete without id":   {cmd: metalog.DeleteSegment{Topic: "orders"}, want: metalog.ErrInvalid},
	})
}
