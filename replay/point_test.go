package replay_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones, wherever the test runs

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
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

// Where the clocks are changed, a time that they show is one that was, or none.
func TestParsePointWhereClocksChange(t *testing.T) {
	utc := func(s string) replay.Point {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return replay.Point{Time: events.TimeOf(at)}
	}
	for _, c := range []struct {
		zone, now, text string
		want            replay.Point
		refused         string // what the message says
	}{
		{zone: "Europe/Berlin", now: "2026-03-30 12:00", text: "yesterday 01:59", want: utc("2026-03-29T00:59:00Z")},
		{zone: "Europe/Berlin", now: "2026-03-30 12:00", text: "yesterday 02:30", refused: "no clock showed that in Europe/Berlin"},
		{zone: "Europe/Berlin", now: "2026-03-30 12:00", text: "2026-03-29 02:00", refused: "no clock showed that"},
		{zone: "Europe/Berlin", now: "2026-03-30 12:00", text: "yesterday 03:00", want: utc("2026-03-29T01:00:00Z")},
		{zone: "Europe/Berlin", now: "2026-03-30 12:00", text: "yesterday", want: utc("2026-03-28T23:00:00Z")},
		{zone: "Europe/Berlin", now: "2026-03-30 12:00", text: "today 12:00", want: utc("2026-03-30T10:00:00Z")},
		{zone: "Europe/Berlin", now: "2026-03-30 12:00", text: "-1d", want: utc("2026-03-29T10:00:00Z")}, // 24 hours, not the same time of the day
		{zone: "Europe/Berlin", now: "2026-10-26 12:00", text: "yesterday 01:59:59", want: utc("2026-10-24T23:59:59Z")},
		{zone: "Europe/Berlin", now: "2026-10-26 12:00", text: "yesterday 02:30", refused: "twice, at 2026-10-25T02:30:00+02:00 and 2026-10-25T02:30:00+01:00"},
		{zone: "Europe/Berlin", now: "2026-10-26 12:00", text: "2026-10-25T02:30:00+01:00", want: utc("2026-10-25T01:30:00Z")},
		{zone: "Europe/Berlin", now: "2026-10-26 12:00", text: "2026-10-25T03:00", want: utc("2026-10-25T02:00:00Z")},
		{zone: "Australia/Lord_Howe", now: "2026-04-06 12:00", text: "yesterday 01:45", refused: "twice"},          // half an hour
		{zone: "America/Sao_Paulo", now: "2018-11-05 12:00", text: "yesterday", want: utc("2018-11-04T03:00:00Z")}, // midnight was skipped
		{zone: "America/Sao_Paulo", now: "2018-11-05 12:00", text: "yesterday 00:00", refused: "no clock"},
		{zone: "UTC", now: "2026-03-01 00:10", text: "yesterday 23:59", want: utc("2026-02-28T23:59:00Z")},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.ParseInLocation("2006-01-02 15:04", c.now, zone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := replay.ParsePoint(c.text, now)
		switch {
		case c.refused == "" && (err != nil || got != c.want):
			t.Errorf("%s, %q: %v, %v; want %v", c.zone, c.text, got, err, c.want)
		case c.refused != "" && (!errors.Is(err, events.ErrInvalid) || !strings.Contains(err.Error(), c.refused) || !strings.Contains(err.Error(), "RFC 3339")):
			t.Errorf("%s, %q: %v, %v; want %q", c.zone, c.text, got, err, c.refused)
		}
	}
}

// timedLog writes a log whose records have these times, over several segments.
func timedLog(t *testing.T, times ...events.Time) *eventlog.File {
	t.Helper()
	dir := t.TempDir()
	records := chainOf(len(times))
	for i, rec := range records {
		rec.Time = times[i]
	}
	writeLog(t, dir, 300, records...)
	log, err := eventlog.Open(filepath.Join(dir, "log"), eventlog.Options{SegmentSize: 300, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}

func TestResolve(t *testing.T) {
	log := timedLog(t, 100, 200, 200, 200, 300, 300, 400, 500, 500, 500, 600, 700, 700)
	if len(log.Segments()) < 3 {
		t.Fatalf("%d segments", len(log.Segments()))
	}
	at := func(time events.Time) replay.Point { return replay.Point{Time: time} }
	for _, c := range []struct {
		point replay.Point
		want  uint64
	}{
		{replay.Point{}, 13}, // now
		{replay.Point{Seq: 1}, 1}, {replay.Point{Seq: 7}, 7}, {replay.Point{Seq: 13}, 13},
		{at(100), 1}, {at(101), 1}, {at(199), 1}, // the first, and after it
		{at(200), 4}, {at(201), 4}, {at(299), 4}, // the last one of a time
		{at(300), 6}, {at(400), 7}, {at(500), 10}, {at(550), 10}, {at(600), 11},
		{at(699), 11}, {at(700), 13}, // the head
	} {
		if got, err := replay.Resolve(t.Context(), log, c.point); err != nil || got != c.want {
			t.Errorf("%s: %d, %v; want %d", c.point, got, err, c.want)
		}
	}
	refuses(t, log, replay.Point{Seq: 14}, "beyond the log's head 13")
	refuses(t, log, at(701), "beyond the log's last record, seq 13")
	refuses(t, log, at(99), "before the log's first record, seq 1 of")
}

func refuses(t *testing.T, log eventlog.Reader, p replay.Point, want string) {
	t.Helper()
	if got, err := replay.Resolve(t.Context(), log, p); !errors.Is(err, events.ErrOutOfRange) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %d, %v; want %q", p, got, err, want)
	}
}

func TestResolveShortened(t *testing.T) {
	log := timedLog(t, 100, 200, 200, 200, 300, 300, 400, 500, 500, 500, 600, 700, 700)
	if err := log.DropBefore(7, ""); err != nil {
		t.Fatal(err)
	}
	first := log.First()
	if first < 4 || first > 7 {
		t.Fatalf("the log begins with seq %d", first)
	}
	for p, want := range map[replay.Point]uint64{{Time: 500}: 10, {Seq: first}: first, {Seq: 2}: 2} {
		if got, err := replay.Resolve(t.Context(), log, p); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", p, got, err, want)
		}
	}
	refuses(t, log, replay.Point{Time: 150}, "before the log's first record, seq")
}

func TestResolveEmpty(t *testing.T) {
	log := timedLog(t)
	if got, err := replay.Resolve(t.Context(), log, replay.Point{}); err != nil || got != 0 {
		t.Errorf("now: %d, %v", got, err)
	}
	refuses(t, log, replay.Point{Seq: 1}, "beyond")
	refuses(t, log, replay.Point{Time: 1}, "the log is empty")
}
