package events

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Time is a moment as Unix nanoseconds, UTC. It is written as RFC 3339 with
// nanoseconds in JSON and as an integer in CBOR.
type Time int64

// timeFormat is RFC 3339 with all nine digits, so that times sort as text.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// TimeOf converts a time.Time.
func TimeOf(t time.Time) Time { return Time(t.UnixNano()) }

// Time converts to a time.Time in UTC.
func (t Time) Time() time.Time { return time.Unix(0, int64(t)).UTC() }

func (t Time) String() string { return t.Time().Format(timeFormat) }

// MarshalText gives RFC 3339 with nanoseconds.
func (t Time) MarshalText() ([]byte, error) {
	return t.Time().AppendFormat(nil, timeFormat), nil
}

// UnmarshalText reads RFC 3339.
func (t *Time) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	*t = TimeOf(parsed)
	return err
}

// Config holds configuration keys and their values. In JSON no config is {}.
type Config map[string]string

// MarshalJSON writes a nil Config as {}.
func (c Config) MarshalJSON() ([]byte, error) {
	if c == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]string(c))
}

// BrokerIDs are the ids of brokers, in order of preference where order matters.
// In JSON no brokers is [].
type BrokerIDs []int32

// MarshalJSON writes nil BrokerIDs as [].
func (b BrokerIDs) MarshalJSON() ([]byte, error) {
	if b == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]int32(b))
}

// NoLeader is the leader of a partition that has none.
const NoLeader int32 = -1

// EntityKind is the kind of an entity that events are about: the aggregate.
type EntityKind string

// The aggregates. Segments, partitions and watermarks belong to their topic,
// offsets to their group, transactions to their producer.
const (
	KindTopic    EntityKind = "topic"
	KindGroup    EntityKind = "group"
	KindBroker   EntityKind = "broker"
	KindProducer EntityKind = "producer"
	KindCluster  EntityKind = "cluster"
)

// EntityRef names an aggregate: topic/NAME, group/ID, broker/ID, producer/ID or
// cluster.
type EntityRef struct {
	Kind EntityKind `cbor:"1,keyasint"`
	ID   string     `cbor:"2,keyasint,omitempty"` // empty for the cluster; a broker's or producer's id in decimal
}

func (e EntityRef) String() string {
	if e.Kind == KindCluster {
		return string(KindCluster)
	}
	return string(e.Kind) + "/" + e.ID
}

// Number returns the id of a broker or producer as a number.
func (e EntityRef) Number() (int64, error) {
	n, err := strconv.ParseInt(e.ID, 10, 64)
	if err != nil || n < 0 {
		return 0, Errorf(CodeInvalid, "%s: its id is not a number; give a %s's id, such as 1", e, e.Kind)
	}
	return n, nil
}

// MarshalText gives the form of String.
func (e EntityRef) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what ParseEntityRef reads.
func (e *EntityRef) UnmarshalText(text []byte) (err error) {
	*e, err = ParseEntityRef(string(text))
	return err
}

// ParseEntityRef reads the form of EntityRef.String. The id of a group may hold
// any character, slashes too.
func ParseEntityRef(s string) (EntityRef, error) {
	kind, id, _ := strings.Cut(s, "/")
	switch ref := (EntityRef{EntityKind(kind), id}); ref.Kind {
	case KindTopic, KindGroup, KindBroker, KindProducer:
		if id != "" {
			return ref, nil
		}
	case KindCluster:
		if s == string(KindCluster) {
			return ref, nil
		}
	}
	return EntityRef{}, Errorf(CodeInvalid, "entity %q: want topic/NAME, group/ID, broker/ID, producer/ID or cluster", s)
}

// Members are the members of a group. In JSON no members is [].
type Members []Member

// MarshalJSON writes nil Members as [].
func (m Members) MarshalJSON() ([]byte, error) {
	if m == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]Member(m))
}

// Bytes are bytes that metalog does not look into. In JSON they are base64, and
// none are "".
type Bytes []byte

// MarshalJSON writes nil Bytes as "".
func (b Bytes) MarshalJSON() ([]byte, error) {
	if b == nil {
		return []byte(`""`), nil
	}
	return json.Marshal([]byte(b))
}
