package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestTimeText(t *testing.T) {
	for text, want := range map[string]Time{
		"1970-01-01T00:00:00.000000000Z": 0,
		"2026-08-13T10:20:30.000000001Z": TimeOf(time.Date(2026, 8, 13, 10, 20, 30, 1, time.UTC)),
		"1969-12-31T23:59:59.999999999Z": -1,
	} {
		var got Time
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s is %d, %v, want %d", text, got, err, want)
		}
		if got := want.String(); got != text {
			t.Errorf("%d is %s, want %s", want, got, text)
		}
	}
}

func TestTimeOfOtherZone(t *testing.T) {
	var got Time
	if err := got.UnmarshalText([]byte("2026-08-13T12:20:30+02:00")); err != nil {
		t.Fatal(err)
	}
	if want := "2026-08-13T10:20:30.000000000Z"; got.String() != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTimeRefuses(t *testing.T) {
	for _, text := range []string{"", "yesterday", "2026-08-13", "2026-08-13T10:20:30", "1700000000"} {
		var got Time
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken for %s", text, got)
		}
	}
}

func TestEntityRefText(t *testing.T) {
	for text, want := range map[string]EntityRef{
		"cluster":        {Kind: KindCluster},
		"topic/orders":   {KindTopic, "orders"},
		"group/a/b c":    {KindGroup, "a/b c"},
		"broker/1":       {KindBroker, "1"},
		"producer/40000": {KindProducer, "40000"},
	} {
		got, err := ParseEntityRef(text)
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v, want %+v", text, got, err, want)
		}
		if got := want.String(); got != text {
			t.Errorf("%+v is %q, want %q", want, got, text)
		}
	}
	for _, text := range []string{"", "topic", "topic/", "cluster/", "cluster/a", "Topic/a", "segment/a", "/a"} {
		if got, err := ParseEntityRef(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q is %+v, %v, want ErrInvalid", text, got, err)
		}
	}
}

func TestHashText(t *testing.T) {
	want := Hash{0xab, 31: 0xcd}
	text, err := want.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var got Hash
	if err := got.UnmarshalText(text); err != nil || got != want {
		t.Errorf("%s is %v, %v, want %v", text, got, err, want)
	}
	for _, bad := range []string{"", "ab", string(text[1:]), string(text) + "00", "x" + string(text[1:])} {
		if err := got.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was taken for a hash", bad)
		}
	}
}

func TestEmptyJSON(t *testing.T) {
	for want, v := range map[string]any{
		`{"config":{},"ids":[],"members":[]}`: struct {
			Config  Config    `json:"config"`
			IDs     BrokerIDs `json:"ids"`
			Members Members   `json:"members"`
		}{},
	} {
		if got, err := json.Marshal(v); err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

func TestSegmentHolds(t *testing.T) {
	segment := SegmentInfo{StartOffset: 10, EndOffset: 20}
	for offset, want := range map[int64]bool{9: false, 10: true, 20: true, 21: false} {
		if got := segment.Holds(offset); got != want {
			t.Errorf("offset %d: %t, want %t", offset, got, want)
		}
	}
}

func TestErrorIs(t *testing.T) {
	sentinels := []*Error{
		ErrNotFound, ErrAlreadyExists, ErrInvalid, ErrTooLarge, ErrConflict, ErrFenced,
		ErrForbidden, ErrOutOfRange, ErrCorrupt, ErrOutcomeUnknown, ErrUnavailable,
	}
	for _, made := range sentinels {
		err := fmt.Errorf("apply: %w", Errorf(made.Code, "topic %q: some reason", "orders"))
		for _, sentinel := range sentinels {
			if got, want := errors.Is(err, sentinel), made == sentinel; got != want {
				t.Errorf("an error of code %s is %s: %t, want %t", made.Code, sentinel.Code, got, want)
			}
		}
		if got := CodeOf(err); got != made.Code {
			t.Errorf("code %s, want %s", got, made.Code)
		}
	}
}

func TestErrorf(t *testing.T) {
	cause := errors.New("disk on fire")
	err := Errorf(CodeUnavailable, "seq %d: %w", 5, cause)
	if got, want := err.Error(), "seq 5: disk on fire"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is not in the chain")
	}
	if got := CodeOf(cause); got != CodeUnavailable {
		t.Errorf("an error without a code has %s, want %s", got, CodeUnavailable)
	}
}
