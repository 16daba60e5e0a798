package command

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/metalog/metalog/events"
)

// optional is a flag whose absence means something else than its zero value: it
// sets a pointer that else stays nil.
type optional[T any] struct {
	field **T
	parse func(string) (T, error)
	kind  string
}

var _ pflag.Value = optional[int32]{}

func (o optional[T]) Set(s string) error {
	value, err := o.parse(s)
	if err == nil {
		*o.field = &value
	}
	return err
}

func (o optional[T]) String() string {
	if *o.field == nil {
		return ""
	}
	return fmt.Sprint(**o.field)
}

func (o optional[T]) Type() string { return o.kind }

func optionalInt32(field **int32) pflag.Value   { return optional[int32]{field, parseInt32, "int"} }
func optionalInt64(field **int64) pflag.Value   { return optional[int64]{field, parseInt64, "int"} }
func optionalUint64(field **uint64) pflag.Value { return optional[uint64]{field, parseUint64, "uint"} }

func optionalString(field **string) pflag.Value {
	return optional[string]{field, func(s string) (string, error) { return s, nil }, "string"}
}

func parseInt32(s string) (int32, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), notANumber(s, err)
}

func parseInt64(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, notANumber(s, err)
}

func parseUint64(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, notANumber(s, err)
}

func notANumber(s string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%q is not a whole number in range", s)
}

// int32Arg reads a number among the arguments.
func int32Arg(name, s string) (int32, error) {
	n, err := parseInt32(s)
	if err != nil {
		return 0, usagef("%s: %w", name, err)
	}
	return n, nil
}

func int64Arg(name, s string) (int64, error) {
	n, err := parseInt64(s)
	if err != nil {
		return 0, usagef("%s: %w", name, err)
	}
	return n, nil
}

// pairs is a repeatable KEY=VALUE flag.
type pairs struct{ config *events.Config }

func (p pairs) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok {
		return fmt.Errorf("%q is not KEY=VALUE", s)
	}
	if *p.config == nil {
		*p.config = events.Config{}
	}
	(*p.config)[key] = value
	return nil
}

func (p pairs) String() string { return "" }
func (p pairs) Type() string   { return "key=value" }

// brokerList is a flag of broker ids: 1,2,3.
type brokerList struct{ ids *events.BrokerIDs }

func (b brokerList) Set(s string) error {
	ids, err := parseBrokers(s)
	*b.ids = ids
	return err
}

func (b brokerList) String() string { return "" }
func (b brokerList) Type() string   { return "ids" }

func parseBrokers(s string) (events.BrokerIDs, error) {
	var ids events.BrokerIDs
	for part := range strings.SplitSeq(s, ",") {
		id, err := parseInt32(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("broker %w", err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// moment is a flag of a time in RFC 3339.
type moment struct{ at *events.Time }

func (m moment) Set(s string) error {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("%q is not a time in RFC 3339, such as 2026-01-31T12:00:00Z", s)
	}
	*m.at = events.TimeOf(t)
	return nil
}

func (m moment) String() string { return "" }
func (m moment) Type() string   { return "time" }
