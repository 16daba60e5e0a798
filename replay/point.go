package replay

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// Point is a place in the log: a seq, or a time, which means the last record with
// a time that is not later. The zero Point is now: the head.
type Point struct {
	Seq  uint64      `json:"seq,omitempty"`
	Time events.Time `json:"time,omitzero"` // counts when Seq is 0
}

// IsNow reports whether the point is the head, wherever that is.
func (p Point) IsNow() bool { return p == Point{} }

func (p Point) String() string {
	switch {
	case p.Seq != 0:
		return strconv.FormatUint(p.Seq, 10)
	case p.Time != 0:
		return p.Time.String()
	}
	return "now"
}

// pointForms are what people may write, for messages.
const pointForms = "a seq, now, a time in RFC 3339, one ago such as -2h or -3d, or a day and a time such as 'yesterday 14:00'"

// ParsePoint reads a point as people write it: a seq (42), "now", a time in RFC
// 3339, a time ago (-90s, -2h, -1h30m, -3d, a day being 24 hours), "2026-01-31
// 14:00", "today 14:00", "yesterday" (its beginning) or "yesterday 14:00:30". Days
// and times without a zone are those of now's location. Where its clocks were
// changed, a time that they showed twice, or never, is ErrInvalid.
func ParsePoint(s string, now time.Time) (Point, error) {
	s = strings.TrimSpace(s)
	if s == "now" {
		return Point{}, nil
	}
	if seq, err := strconv.ParseUint(s, 10, 64); err == nil && seq != 0 {
		return Point{Seq: seq}, nil
	}
	at, ok, err := parseTime(s, now)
	if err != nil {
		return Point{}, events.Errorf(events.CodeInvalid, "%q: %w; give it in RFC 3339, with its offset", s, err)
	}
	if ok && at.UnixNano() > 0 {
		return Point{Time: events.TimeOf(at)}, nil
	}
	return Point{}, events.Errorf(events.CodeInvalid, "%q is no point in the log; give %s", s, pointForms)
}

// parseTime reads a time; ok is false if it is none. An error tells why a time is
// not clear.
func parseTime(s string, now time.Time) (at time.Time, ok bool, err error) {
	if ago, isAgo := strings.CutPrefix(s, "-"); isAgo {
		d, ok := parseAgo(ago)
		return now.Add(-d), ok, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return at, true, nil
	}
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return beginning(day, now.Location()), true, nil
	}
	if wall, err := parseAny(s, time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"); err == nil {
		at, err = instant(wall, now.Location())
		return at, true, err
	}
	return parseDay(s, now)
}

// parseDay reads today or yesterday, with or without a time.
func parseDay(s string, now time.Time) (at time.Time, ok bool, err error) {
	name, clock, hasClock := strings.Cut(s, " ")
	year, month, date := now.Date()
	switch name {
	case "today":
	case "yesterday":
		date--
	default:
		return at, false, nil
	}
	if !hasClock {
		return beginning(time.Date(year, month, date, 0, 0, 0, 0, time.UTC), now.Location()), true, nil
	}
	wall, err := parseAny(strings.TrimSpace(clock), time.TimeOnly, "15:04")
	if err != nil {
		return at, false, nil
	}
	at, err = instant(time.Date(year, month, date, wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), time.UTC), now.Location())
	return at, true, err
}

// parseAny reads what clocks and calendars show, in one of some layouts.
func parseAny(s string, layouts ...string) (wall time.Time, err error) {
	for _, layout := range layouts {
		if wall, err = time.Parse(layout, s); err == nil {
			break
		}
	}
	return wall, err
}

// instant returns when the clocks of a place showed what wall, in UTC, shows.
func instant(wall time.Time, place *time.Location) (time.Time, error) {
	times := instants(wall, place)
	switch len(times) {
	case 1:
		return times[0], nil
	case 0:
		return time.Time{}, fmt.Errorf("no clock showed that in %s: they were put forward then", place)
	}
	return time.Time{}, fmt.Errorf("the clocks in %s showed that twice, at %s and %s", place, times[0].Format(time.RFC3339), times[1].Format(time.RFC3339))
}

// instants returns all times at which the clocks of a place showed wall: one, but
// for where they were put forward or back.
func instants(wall time.Time, place *time.Location) []time.Time {
	var times []time.Time
	near := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), place)
	for _, around := range []time.Time{near.Add(-24 * time.Hour), near.Add(24 * time.Hour)} {
		_, offset := around.Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(place)
		if _, really := at.Zone(); really == offset && !slices.ContainsFunc(times, at.Equal) {
			times = append(times, at)
		}
	}
	return times
}

// beginning returns when a day of the calendar began in a place: at midnight, or,
// where the clocks were put forward then, when they were.
func beginning(day time.Time, place *time.Location) time.Time {
	for wall := day; wall.Before(day.Add(24 * time.Hour)); wall = wall.Add(15 * time.Minute) {
		if times := instants(wall, place); len(times) > 0 {
			return times[0]
		}
	}
	return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, place) // a day that was skipped
}

// parseAgo reads a duration, in days too.
func parseAgo(s string) (time.Duration, bool) {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "0", s
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, false
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest == "" {
		return d, found
	}
	more, err := time.ParseDuration(rest)
	return d + more, err == nil && more >= 0
}

// Resolve returns the seq that a point means. It is ErrOutOfRange for a point
// beyond the head, and for one before the first record.
func Resolve(ctx context.Context, log eventlog.Reader, p Point) (uint64, error) {
	head := log.Head()
	switch {
	case p.IsNow():
		return head.Seq, nil
	case p.Seq > head.Seq:
		return 0, events.Errorf(events.CodeOutOfRange, "seq %d is beyond the log's head %d; give that one or an earlier one", p.Seq, head.Seq)
	case p.Seq != 0:
		return p.Seq, nil
	case head.Seq == 0:
		return 0, events.Errorf(events.CodeOutOfRange, "%s: the log is empty", p)
	}
	return resolveTime(ctx, log, p, head)
}

func resolveTime(ctx context.Context, log eventlog.Reader, p Point, head events.Head) (uint64, error) {
	for last, err := range log.Frames(ctx, head.Seq) {
		if err != nil {
			return 0, err
		}
		if p.Time > last.Time {
			return 0, events.Errorf(events.CodeOutOfRange, "%s is beyond the log's last record, seq %d of %s; give that time or an earlier one, or 'now'", p, head.Seq, last.Time)
		}
		if p.Time == last.Time {
			return head.Seq, nil
		}
		break
	}
	seq, err := log.SeqAt(ctx, p.Time)
	if err == nil && seq < log.First() {
		err = events.Errorf(events.CodeOutOfRange, "%s is before the log's first record, %s; give a later time", p, firstOf(ctx, log))
	}
	return seq, err
}

// firstOf describes the first record of a log.
func firstOf(ctx context.Context, log eventlog.Reader) string {
	for first, err := range log.Frames(ctx, log.First()) {
		if err != nil {
			break
		}
		return fmt.Sprintf("seq %d of %s", first.Seq, first.Time)
	}
	return fmt.Sprintf("seq %d", log.First())
}
