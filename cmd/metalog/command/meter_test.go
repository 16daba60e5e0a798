package command

import (
	"testing"
	"time"
)

func TestMeter(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	steps := []struct {
		after time.Duration
		at    reached
		want  string // empty: nothing is shown
	}{
		{0, reached{"log", 1, 1, 400}, ""},
		{2 * time.Second, reached{"log", 5000, 100, 400}, "log: 5000 records, 2500 records/s, 25 %, 6s left"},
		{2*time.Second + meterEvery/2, reached{"log", 5001, 101, 400}, ""},
		{4 * time.Second, reached{"log", 10000, 500, 400}, "log: 10000 records, 2500 records/s"},
		{5 * time.Second, reached{"rebuild", 1, 1, 2}, ""},
		{6 * time.Second, reached{"rebuild", 10, 10, 20}, "rebuild: 10 records, 10 records/s, 50 %, 1s left"},
	}
	m := meter{unit: "records"}
	for i, s := range steps {
		if got, due := m.line(s.at, start.Add(s.after)); got != s.want || due != (s.want != "") {
			t.Errorf("step %d: %q, want %q", i, got, s.want)
		}
	}
}
