package replay

import (
	"slices"
	"testing"

	"github.com/metalog/metalog/views"
)

func TestSurplus(t *testing.T) {
	const other = views.SchemaVersion + 1
	at := func(seqs ...uint64) (list []Snapshot) {
		for _, seq := range seqs {
			list = append(list, Snapshot{Seq: seq, SizeBytes: 10, SchemaVersion: views.SchemaVersion})
		}
		return list
	}
	foreign := func(list []Snapshot, indices ...int) []Snapshot {
		for _, i := range indices {
			list[i].SchemaVersion = other
		}
		return list
	}
	with := func(events uint64, snap []Snapshot) Snapshot {
		snap[0].Events = events
		return snap[0]
	}
	dense := []Snapshot{with(1000, at(1)), with(1400, at(2)), with(2000, at(3)), with(2400, at(4)), with(3500, at(5)), with(3600, at(6))}
	unknown := []Snapshot{at(1)[0], with(5000, at(2)), with(6000, at(3)), with(7000, at(4)), with(7001, at(5))}
	tests := map[string]struct {
		list []Snapshot
		keep Retention
		want []uint64
	}{
		"none":                                       {nil, Retention{Every: 100, MaxBytes: 10}, nil},
		"no budget at all":                           {nil, Retention{Every: 100, MaxBytes: -1}, nil},
		"the newest two stay":                        {at(1, 2), Retention{Every: 100, MaxBytes: 1}, nil},
		"too close":                                  {at(100, 150, 199, 200, 300, 301, 302), Retention{Every: 100, MaxBytes: 1000}, []uint64{150, 199}},
		"close, but the newest":                      {at(100, 101, 102), Retention{Every: 100, MaxBytes: 1000}, nil},
		"over budget, from the oldest":               {at(100, 200, 300, 400, 500), Retention{Every: 100, MaxBytes: 30}, []uint64{100, 200}},
		"within budget":                              {at(100, 200, 300), Retention{Every: 100, MaxBytes: 30}, nil},
		"close ones go before old ones":              {at(100, 150, 200, 300, 400), Retention{Every: 100, MaxBytes: 40}, []uint64{150}},
		"far apart by events":                        {dense, Retention{Every: 100, EveryEvents: 1000, MaxBytes: 1000}, []uint64{2, 4}},
		"events that are not noted":                  {unknown, Retention{Every: 100, EveryEvents: 1000, MaxBytes: 1000}, []uint64{2, 3}},
		"another schema does not count for recovery": {foreign(at(100, 200, 300, 400), 2, 3), Retention{Every: 100, MaxBytes: 1}, nil},
		"another schema goes when it is old":         {foreign(at(100, 200, 300, 400), 0), Retention{Every: 100, MaxBytes: 30}, []uint64{100}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []uint64
			for _, snap := range surplus(test.list, test.keep) {
				got = append(got, snap.Seq)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
