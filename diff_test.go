package metalog_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// diffLines describes what differs between two seqs.
func diffLines(t *testing.T, s *storetest.Store, from, to uint64, entities ...string) []string {
	t.Helper()
	diff, err := s.Diff(t.Context(), metalog.Point{Seq: from}, metalog.Point{Seq: to}, metalog.DiffOptions{Entities: entities})
	if err != nil {
		t.Fatal(err)
	}
	if diff.From.Seq != from || diff.To.Seq != to {
		t.Fatalf("from %+v to %+v, want %d and %d", diff.From, diff.To, from, to)
	}
	var lines []string
	for d, err := range diff.Differences {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, storetest.DescribeDifference(d))
	}
	slices.Sort(lines)
	return lines
}

func entitiesAt(t *testing.T, s *storetest.Store, seq uint64) map[string]storetest.Entity {
	t.Helper()
	view, err := s.At(t.Context(), metalog.Point{Seq: seq})
	if err != nil {
		t.Fatal(err)
	}
	entities := storetest.Entities(t, view)
	if err := view.Close(); err != nil {
		t.Fatal(err)
	}
	return entities
}

func entitiesOf(t *testing.T, s *storetest.Store, seqs []uint64) map[uint64]map[string]storetest.Entity {
	t.Helper()
	entities := map[uint64]map[string]storetest.Entity{}
	for _, seq := range seqs {
		entities[seq] = entitiesAt(t, s, seq)
	}
	return entities
}

// In the middle of cascades rows are out of sight, or mean something else, without
// having changed: a diff shows what reads show there.
func TestDiffInCascades(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	registerBrokers(s, 1, 2)
	const partitions = 5000
	s.Must(metalog.CreateTopic{Name: "large", Partitions: partitions, ReplicationFactor: 2, Config: events.Config{"a": "1"}})
	s.Must(metalog.CreateTopic{Name: "small", Partitions: 2, ReplicationFactor: 2})
	s.Must(metalog.CreateGroup{ID: "g"})
	s.Must(metalog.SetConfig{Scope: scope(t, "group/g"), Config: events.Config{"x": "1"}})
	for begin := int32(0); begin < partitions; begin += 2500 {
		cmd := metalog.CommitOffsets{Group: "g"}
		for p := begin; p < begin+2500; p++ {
			cmd.Offsets = append(cmd.Offsets, metalog.OffsetCommit{Topic: "large", Partition: p, Offset: 1})
		}
		s.Must(cmd)
	}
	s.Must(commit("g", "small", 1, 7))
	s.Must(metalog.AdvanceWatermarks{Topic: "small", Partition: 0, High: new(int64(50_000))})
	first := s.Seq()
	txn := beginTransaction(s, "txn")
	s.Must(metalog.AddTransactionPartitions{Producer: txn, Partitions: []metalog.TransactionPartition{{Topic: "large", Partition: 1}, {Topic: "small", Partition: 1}}})
	s.Must(metalog.AddTransactionOffsets{Producer: txn, Group: "g"})
	s.Must(metalog.CommitTransactionOffsets{Producer: txn, Group: "g", Offsets: []metalog.OffsetCommit{{Topic: "large", Offset: 9}, {Topic: "small", Offset: 9}}})
	before := s.Seq()
	s.Must(metalog.DeleteTopic{Name: "large"})
	s.Must(metalog.CreateTopic{Name: "large", Partitions: 1, ReplicationFactor: 1})
	waitForCascades(t, s)
	last := s.Seq()
	if last < before+3 {
		t.Fatalf("the cascade took %d records; it is to take some", last-before)
	}
	seqs := []uint64{first, before, before + 1, before + 2, last}
	entities := entitiesOf(t, s, seqs)
	for i, from := range seqs {
		for _, to := range seqs[i+1:] {
			want := storetest.Differences(entities[from], entities[to])
			if got := diffLines(t, s, from, to); !slices.Equal(got, want) {
				t.Errorf("from %d to %d: %s", from, to, onlyIn(got, want))
			}
		}
	}
}

// While an offline broker's partitions are still being moved, what it leads reads as
// without a leader, although its row says otherwise.
func TestDiffWhileABrokerGoes(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	registerBrokers(s, 1, 2)
	for n := range 2 {
		create := metalog.CreateTopic{Name: fmt.Sprint("t", n), Partitions: 3000, ReplicationFactor: 2}
		for range create.Partitions {
			create.Assignments = append(create.Assignments, metalog.TopicAssignment{Replicas: events.BrokerIDs{1, 2}})
		}
		s.Must(create)
	}
	before := s.Seq()
	s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline})
	waitForCascades(t, s)
	last := s.Seq()
	if last < before+2 {
		t.Fatalf("the cascade took %d records; it is to take some", last-before)
	}
	entities := entitiesOf(t, s, []uint64{before, before + 1, last})
	for _, seqs := range [][2]uint64{{before, before + 1}, {before + 1, last}, {last, before + 1}, {before, last}} {
		want := storetest.Differences(entities[seqs[0]], entities[seqs[1]])
		if got := diffLines(t, s, seqs[0], seqs[1]); !slices.Equal(got, want) {
			t.Errorf("from %d to %d: %s", seqs[0], seqs[1], onlyIn(got, want))
		}
	}
}

// waitForCascades waits until nothing goes on in the background.
func waitForCascades(t *testing.T, s *storetest.Store) {
	t.Helper()
	for info := s.MustInfo(); info.Entities["cascades"] > 0; info = s.MustInfo() {
		if err := s.Log().Wait(t.Context(), info.Seq+1); err != nil {
			t.Fatal(err)
		}
	}
}

// onlyIn tells of the first lines that one list has and the other has not.
func onlyIn(got, want []string) string {
	text := fmt.Sprintf("%d differences, want %d", len(got), len(want))
	for name, lists := range map[string][2][]string{"got": {got, want}, "want": {want, got}} {
		shown := 0
		for _, line := range lists[0] {
			if !slices.Contains(lists[1], line) && shown < 5 {
				text += "\n" + name + " " + line
				shown++
			}
		}
	}
	return text
}

// The id of a group may hold slashes: what is below one is not below another.
func TestDiffOfEntities(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	s.Must(metalog.CreateTopic{Name: "orders", Partitions: 12, ReplicationFactor: 1})
	before := s.Seq()
	for _, id := range []string{"a", "a/b", "a/offset/orders", "ab"} {
		s.Must(metalog.CreateGroup{ID: id})
		s.Must(commit(id, "orders", 1, 5))
		s.Must(commit(id, "orders", 11, 5))
	}
	txn := beginTransaction(s, "t/1")
	for _, test := range []struct {
		entity string
		want   []string
	}{
		{"group/a", []string{"group/a", "group/a/offset/orders/1", "group/a/offset/orders/11"}},
		{"group/a/b", []string{"group/a/b", "group/a/b/offset/orders/1", "group/a/b/offset/orders/11"}},
		{"group/a/b/offset/orders/1", []string{"group/a/b/offset/orders/1"}},
		{"group/ab/offset", []string{"group/ab/offset/orders/1", "group/ab/offset/orders/11"}},
		{"transaction/t/1", []string{"transaction/t/1"}},
		{fmt.Sprint("producer/", txn.ProducerID), []string{"transaction/t/1"}},
		{"transaction", []string{"transaction/t/1"}},
		{"topic/orders", nil},
		{"cluster", []string{"cluster"}},
	} {
		var got []string
		diff, err := s.Diff(t.Context(), metalog.Point{Seq: before}, metalog.Point{}, metalog.DiffOptions{Entities: []string{test.entity}})
		if err != nil {
			t.Fatal(err)
		}
		for d, err := range diff.Differences {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, d.Entity)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.entity, got, test.want)
		}
	}
}

// A comparison that is asked for in parts gives what it gives at once.
func TestDiffAfter(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	before := s.Seq()
	catalogue(t, s)
	all := func(after metalog.Place, most int) (list []metalog.Difference) {
		diff, err := s.Diff(t.Context(), metalog.Point{Seq: before}, metalog.Point{}, metalog.DiffOptions{After: after})
		if err != nil {
			t.Fatal(err)
		}
		for d, err := range diff.Differences {
			if err != nil {
				t.Fatal(err)
			}
			if list = append(list, d); len(list) == most {
				break
			}
		}
		return list
	}
	want := all(nil, 0)
	var place metalog.Place
	for i := range want {
		got := all(place, 1)
		if len(got) != 1 || got[0].Entity != want[i].Entity {
			t.Fatalf("difference %d is %+v, want %s", i, got, want[i].Entity)
		}
		place = got[0].Place
	}
	if rest := all(place, 0); len(rest) > 0 {
		t.Errorf("after the last: %+v", rest)
	}
	if len(want) < 15 {
		t.Errorf("%d differences are few", len(want))
	}
}
