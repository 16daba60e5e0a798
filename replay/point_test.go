package replay_test

import (
	"errors"
	"testing"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
)

func TestParsePoint(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	now := time.Date(2026, time.March, 1, 10, 30, 0, 0, zone)
	at := func(t time.Time) replay.Point { return replay.Point{Time: events.TimeOf(t)} }
	for text, want := range map[string]replay.Point{
		"42":                             {Seq: 42},
		"now":                            {},
		"2026-01-31T12:00:00Z":           at(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)),
		"2026-01-31T12:00:00.000000001Z": at(time.Date(2026, 1, 31, 12, 0, 0, 1, time.UTC)),
		"2026-01-31 12:00":               at(time.Date(2026, 1, 31, 12, 0, 0, 0, zone)),
		"2026-01-31":                     at(time.Date(2026, 1, 31, 0, 0, 0, 0, zone)),
		"-2h":                            at(now.Add(-2 * time.Hour)),
		"-1h30m":                         at(now.Add(-90 * time.Minute)),
		"-3d":                            at(now.Add(-72 * time.Hour)),
		"-1d12h":                         at(now.Add(-36 * time.Hour)),
		"yesterday 14:00":                at(time.Date(2026, 2, 28, 14, 0, 0, 0, zone)),
		"yesterday":                      at(time.Date(2026, 2, 28, 0, 0, 0, 0, zone)),
		"today 09:15:30":                 at(time.Date(2026, 3, 1, 9, 15, 30, 0, zone)),
	} {
		if got, err := replay.ParsePoint(text, now); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-", "-d", "-x", "-2h-1h", "tomorrow", "yesterday 25:00", "1969-01-01", "12:00", "-1", "today x"} {
		if got, err := replay.ParsePoint(text, now); !errors.Is(err, events.ErrInvalid) {
			t.Errorf("%q: got %v, %v; want ErrInvalid", text, got, err)
		}
	}
}
