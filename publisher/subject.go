package publisher

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/metalog/metalog/events"
)

// A subject is metalog.<cluster>.events.<aggregate>.<id>.<EventType>.
const (
	subjectRoot = "metalog."
	subjectKind = ".events."
	wildcard    = "*"
	noID        = "_" // the id token of the cluster, which has no id
)

// MaxTokenBytes bounds an escaped id, and with it a subject: a line of the NATS
// protocol has 4,096 bytes. A longer id is represented by its hash.
const MaxTokenBytes = 512

const (
	emptyToken = "="  // the empty id: no other token is a lone '='
	hashPrefix = "=H" // no escape begins so: H is not a hexadecimal digit
)

var clusterName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func checkCluster(name string) error {
	if !clusterName.MatchString(name) {
		return events.Errorf(events.CodeInvalid, "cluster name %q: want 1 to 64 of the characters a-z, A-Z, 0-9, _ and -", name)
	}
	return nil
}

// StreamName returns the name of the cluster's stream.
func StreamName(cluster string) string { return "METALOG_" + cluster }

// Subject returns the subject of events of type t about an entity.
func Subject(cluster string, of events.EntityRef, t events.Type) string {
	return joinSubject(cluster, string(of.Kind), idToken(of), t.String())
}

func joinSubject(cluster, aggregate, id, eventType string) string {
	return subjectRoot + cluster + subjectKind + aggregate + "." + id + "." + eventType
}

func idToken(of events.EntityRef) string {
	if of.Kind == events.KindCluster {
		return noID
	}
	return Escape(of.ID)
}

// Filter selects events. An empty field selects all.
type Filter struct {
	Aggregate events.EntityKind
	ID        string // needs Aggregate
	Type      events.Type
}

// Subject returns the subject with wildcards that matches what f selects.
func (f Filter) Subject(cluster string) (string, error) {
	aggregate, id, eventType := wildcard, wildcard, wildcard
	switch f.Aggregate {
	case "":
	case events.KindTopic, events.KindGroup, events.KindBroker, events.KindProducer, events.KindCluster:
		aggregate = string(f.Aggregate)
	default:
		return "", events.Errorf(events.CodeInvalid, "filter: aggregate %q: want topic, group, broker, producer or cluster", f.Aggregate)
	}
	if f.ID != "" {
		if f.Aggregate == "" || f.Aggregate == events.KindCluster {
			return "", events.Errorf(events.CodeInvalid, "filter: id %q needs an aggregate that has ids: topic, group, broker or producer", f.ID)
		}
		id = Escape(f.ID)
	}
	if f.Type != 0 {
		eventType = f.Type.String()
	}
	return joinSubject(cluster, aggregate, id, eventType), nil
}

func (f Filter) all() bool { return f == Filter{} }

// matches reports whether f selects the message's events.
func (f Filter) matches(m *Message) bool {
	if len(m.Events) == 0 {
		return false
	}
	of, t := m.Events[0].Entity, m.Events[0].Type
	return (f.Aggregate == "" || f.Aggregate == of.Kind) && (f.ID == "" || f.ID == of.ID) && (f.Type == 0 || f.Type.String() == t)
}

// subjects returns what a consumer reads for f; none: all. Besides what f selects
// that is the digests that the log notes now and then: they tell a subscriber
// which nothing else comes to how far it is.
func (f Filter) subjects(cluster string) ([]string, error) {
	if f.all() {
		return nil, nil
	}
	subject, err := f.Subject(cluster)
	if err != nil {
		return nil, err
	}
	isCluster := f.Aggregate == "" || f.Aggregate == events.KindCluster
	if isCluster && (f.Type == 0 || f.Type == events.TypeDigestRecorded) {
		return []string{subject}, nil // a consumer's subjects must not overlap
	}
	mark := Subject(cluster, events.EntityRef{Kind: events.KindCluster}, events.TypeDigestRecorded)
	return []string{subject, mark}, nil
}

// Escape turns any id into one token of a subject. A byte that is not visible
// ASCII, and each of '.', '*', '>' and '=', becomes '=' and two upper-case
// hexadecimal digits; the empty id becomes "=". A token that would be longer
// than MaxTokenBytes is "=H" and the id's SHA-256 in hexadecimal instead, and
// the true id is then only in the payload.
func Escape(id string) string {
	if id == "" {
		return emptyToken
	}
	if token := escapeBytes(id); len(token) <= MaxTokenBytes {
		return token
	}
	sum := sha256.Sum256([]byte(id))
	return hashPrefix + hex.EncodeToString(sum[:])
}

// Unescape returns the id that Escape made the token of. It is ErrInvalid for a
// hash, and for whatever Escape does not make.
func Unescape(token string) (string, error) {
	switch {
	case token == emptyToken:
		return "", nil
	case strings.HasPrefix(token, hashPrefix):
		return "", events.Errorf(events.CodeInvalid, "subject token %.20q… is the hash of an id longer than %d bytes; read the id from the payload", token, MaxTokenBytes)
	case token == "" || len(token) > MaxTokenBytes:
		return "", events.Errorf(events.CodeInvalid, "subject token of %d bytes: want 1 to %d", len(token), MaxTokenBytes)
	}
	return unescapeBytes(token)
}

func safe(c byte) bool {
	return c > ' ' && c < 0x7f && c != '.' && c != '*' && c != '>' && c != '='
}

const upperHex = "0123456789ABCDEF"

func escapeBytes(s string) string {
	unsafe := 0
	for i := range len(s) {
		if !safe(s[i]) {
			unsafe++
		}
	}
	if unsafe == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*unsafe)
	for i := range len(s) {
		if c := s[i]; safe(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'=', upperHex[c>>4], upperHex[c&0xf]})
		}
	}
	return b.String()
}

// unescapeBytes reads what escapeBytes writes and nothing else: each string has
// one escaped form only.
func unescapeBytes(token string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(token); i++ {
		c := token[i]
		if c == '=' {
			var ok bool
			if c, ok = escaped(token[i+1:]); !ok {
				return "", events.Errorf(events.CodeInvalid, "subject token %.80q: no escape at byte %d", token, i)
			}
			i += 2
		} else if !safe(c) {
			return "", events.Errorf(events.CodeInvalid, "subject token %.80q: byte %d should be escaped", token, i)
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// escaped returns the byte whose two digits s begins with.
func escaped(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	high, low := strings.IndexByte(upperHex, s[0]), strings.IndexByte(upperHex, s[1])
	if high < 0 || low < 0 {
		return 0, false
	}
	c := byte(high<<4 | low)
	return c, !safe(c)
}
