package replay

import (
	"context"
	"fmt"
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
// 3339, a time ago (-90s, -2h, -1h30m, -3d), "2026-01-31 14:00", "today 14:00",
// "yesterday" (its beginning) or "yesterday 14:00:30". Days and times without a
// zone are those of now's location.
func ParsePoint(s string, now time.Time) (Point, error) {
	s = strings.TrimSpace(s)
	if s == "now" {
		return Point{}, nil
	}
	if seq, err := strconv.ParseUint(s, 10, 64); err == nil && seq != 0 {
		return Point{Seq: seq}, nil
	}
	if at, ok := parseTime(s, now); ok && at.UnixNano() > 0 {
		return Point{Time: events.TimeOf(at)}, nil
	}
	return Point{}, events.Errorf(events.CodeInvalid, "%q is no point in the log; give %s", s, pointForms)
}

func parseTime(s string, now time.Time) (time.Time, bool) {
	if ago, ok := strings.CutPrefix(s, "-"); ok {
		d, ok := parseAgo(ago)
		return now.Add(-d), ok
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return at, true
		}
	}
	day, clock, _ := strings.Cut(s, " ")
	year, month, date := now.Date()
	switch day {
	case "today":
	case "yesterday":
		date--
	default:
		return time.Time{}, false
	}
	if clock == "" {
		clock = "00:00"
	}
	for _, layout := range []string{time.TimeOnly, "15:04"} {
		if at, err := time.Parse(layout, strings.TrimSpace(clock)); err == nil {
			return time.Date(year, month, date, at.Hour(), at.Minute(), at.Second(), 0, now.Location()), true
		}
	}
	return time.Time{}, false
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
		err = events.Errorf(events.CodeOutOfRange, "%s is before the first record that is left, %s; give a later time", p, firstOf(ctx, log))
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
