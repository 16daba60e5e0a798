package command

import (
	"testing"
	"time"

	"github.com/metalog/metalog/replay"
)

func TestMeter(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	steps := []struct {
		after time.Duration
		p     replay.VerifyProgress
		want  string // empty: nothing is shown
	}{
		{0, replay.VerifyProgress{Step: "log", Done: 1, Total: 400, Records: 1}, ""},
		{2 * time.Second, replay.VerifyProgress{Step: "log", Done: 100, Total: 400, Records: 5000}, "log: 5000 records, 2500 records/s, 25 %, 6s left"},
		{2*time.Second + meterEvery/2, replay.VerifyProgress{Step: "log", Done: 101, Total: 400, Records: 5001}, ""},
		{4 * time.Second, replay.VerifyProgress{Step: "log", Done: 500, Total: 400, Records: 10000}, "log: 10000 records, 2500 records/s"},
		{5 * time.Second, replay.VerifyProgress{Step: "rebuild", Done: 1, Total: 2, Records: 1}, ""},
		{6 * time.Second, replay.VerifyProgress{Step: "rebuild", Done: 10, Total: 20, Records: 10}, "rebuild: 10 records, 10 records/s, 50 %, 1s left"},
	}
	var m meter
	for i, s := range steps {
		if got, due := m.line(s.p, start.Add(s.after)); got != s.want || due != (s.want != "") {
			t.Errorf("step %d: %q, want %q", i, got, s.want)
		}
	}
}
