package metalog

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/metalog/metalog/events"
)

// Limits of what a command may name or carry.
const (
	MaxPartitions        = 100_000   // of one topic
	MaxReplicationFactor = 32767     // Kafka's: an int16
	MaxTopicNameBytes    = 249       // Kafka's: a name is a directory with "-" and a partition added
	MaxGroupIDBytes      = 1024      // any valid UTF-8
	MaxSegmentIDBytes    = 255       // any valid UTF-8
	MaxTransactionalID   = 1024      // bytes, any valid UTF-8
	MaxMetadataBytes     = 4096      // of a committed offset: Kafka's offset.metadata.max.bytes
	MaxConfigKeyBytes    = 255       // [a-zA-Z0-9._-]
	MaxConfigValueBytes  = 32 << 10  // any valid UTF-8
	MaxTextBytes         = 4 << 10   // hosts, racks, paths, checksums
	maxTransactionOpen   = 4000      // pending offsets or partitions of one transaction: its end is one record
	maxTransactionBytes  = 512 << 10 // of its pending offsets, encoded
)

// checks gathers the first thing wrong with a command.
type checks struct{ err error }

func (c *checks) fail(field, format string, args ...any) {
	if c.err == nil {
		c.err = fieldError(field, format, args...)
	}
}

// topicName holds the rule of Kafka's Topic.validate.
func (c *checks) topicName(field, name string) {
	switch {
	case name == "":
		c.fail(field, "a topic's name is missing")
	case name == "." || name == "..":
		c.fail(field, "%q is not allowed as a topic's name", name)
	case len(name) > MaxTopicNameBytes:
		c.fail(field, "a topic's name has at most %d bytes, this one has %d", MaxTopicNameBytes, len(name))
	case strings.IndexFunc(name, illegalInName) >= 0:
		c.fail(field, "%q is not allowed: a topic's name has only characters of [a-zA-Z0-9._-]", name)
	}
}

func illegalInName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_', r == '-':
		return false
	}
	return true
}

// text checks a required string of any characters.
func (c *checks) text(field, s string, limit int) {
	if s == "" {
		c.fail(field, "is missing")
	}
	c.optionalText(field, s, limit)
}

func (c *checks) optionalText(field, s string, limit int) {
	switch {
	case len(s) > limit:
		c.fail(field, "has %d bytes, the limit is %d", len(s), limit)
	case !utf8.ValidString(s):
		c.fail(field, "is not valid UTF-8")
	}
}

func (c *checks) atLeast(field string, n, least int64) {
	if n < least {
		c.fail(field, "must be %d or more, not %d", least, n)
	}
}

func (c *checks) within(field string, n, least, most int64) {
	if n < least || n > most {
		c.fail(field, "must be %d to %d, not %d", least, most, n)
	}
}

func (c *checks) config(field string, config events.Config) {
	for key, value := range config {
		c.configKey(field, key)
		c.optionalText(field+"."+key, value, MaxConfigValueBytes)
	}
}

func (c *checks) configKey(field, key string) {
	if key == "" || len(key) > MaxConfigKeyBytes || strings.IndexFunc(key, illegalInName) >= 0 {
		c.fail(field, "key %q is not allowed: a key has 1 to %d characters of [a-zA-Z0-9._-]", key, MaxConfigKeyBytes)
	}
}

// replicas checks a list of broker ids in which none may stand twice.
func (c *checks) brokers(field string, ids events.BrokerIDs) {
	seen := make(map[int32]bool, len(ids))
	for _, id := range ids {
		c.atLeast(field, int64(id), 0)
		if seen[id] {
			c.fail(field, "broker %d is named twice", id)
		}
		seen[id] = true
	}
}

// each checks element i of a list under its own name.
func indexed(field string, i int, of string) string {
	return fmt.Sprintf("%s[%d].%s", field, i, of)
}
