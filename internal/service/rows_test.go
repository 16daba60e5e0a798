package service

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// TestRowsAreSentAsTheyAreRead: a part is sent before the row after it is read, an error
// comes as the part that follows, and the state is let go of.
func TestRowsAreSentAsTheyAreRead(t *testing.T) {
	f := start(t, Options{})
	answers, err := f.asker.SubscribeSync("answers")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.asker.Flush(); err != nil {
		t.Fatal(err)
	}
	next := func() *nats.Msg {
		if err := f.service.nc.Flush(); err != nil {
			t.Fatal(err)
		}
		msg, err := answers.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	damaged := events.Errorf(events.CodeCorrupt, "page 7")
	long := strings.Repeat("x", wire.MaxPart/2)
	list := func(yield func(string, error) bool) {
		for range 3 {
			yield(long, nil)
		}
		first := next()
		if first.Header.Get(wire.HeaderPart) != "0" || first.Header.Get(wire.HeaderMore) != "true" || len(first.Data) != wire.MaxPart {
			t.Errorf("first part: %v with %d bytes", first.Header, len(first.Data))
		}
		yield("", damaged)
	}
	ended := 0
	a := answer{seq: 7, rows: &rows{encodeRows(list), func() error { ended++; return nil }}}
	rest, err := f.service.sendRows("answers", a)
	if !errors.Is(err, damaged) || ended != 1 {
		t.Errorf("it ended %d times, with %v", ended, err)
	}
	if err := f.service.respond("answers", rest, err); err != nil {
		t.Fatal(err)
	}
	last := next()
	if last.Header.Get(wire.HeaderPart) != "1" || last.Header.Get(wire.HeaderMore) != "" || last.Header.Get(micro.ErrorCodeHeader) != "corrupt" {
		t.Errorf("the error: %v %s", last.Header, last.Data)
	}
}
