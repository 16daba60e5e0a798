package wire

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/inbox"
)

// ServiceName is how the API shows up among the services of a NATS server.
const ServiceName = "metalog"

// DefaultCluster is the cluster of who names none.
const DefaultCluster = "default"

// Subject returns the subject of an operation.
func Subject(cluster, op string) string {
	return "metalog." + cluster + ".api." + op
}

// The headers of a request, all optional. Text is percent-encoded, since a
// header can't hold any character. Numbers are decimal.
const (
	HeaderCommandID  = "Metalog-Command-Id"
	HeaderIfRevision = "Metalog-If-Revision"
	HeaderActor      = "Metalog-Actor"
	HeaderReason     = "Metalog-Reason"
	HeaderCause      = "Metalog-Cause"   // seq.index of an event
	HeaderMinSeq     = "Metalog-Min-Seq" // of a read: wait until it reflects this seq
	HeaderAt         = "Metalog-At"      // of a read of views: answer as they were at this seq or time
)

// The headers of an answer.
const (
	HeaderSeq  = "Metalog-Seq"    // of the state that a read was answered from
	HeaderPart = inbox.HeaderPart // 0, 1, …
	HeaderMore = inbox.HeaderMore // "true": another part follows
)

// EscapeText makes text fit for a header.
func EscapeText(s string) string { return url.PathEscape(s) }

// UnescapeText reads what EscapeText wrote.
func UnescapeText(s string) (string, error) { return url.PathUnescape(s) }

// Error is the body of an answer that is an error.
type Error struct {
	Code    events.Code `json:"code"`
	Message string      `json:"message"`
}

// The bounds of an error's text: a message may quote what was sent, which may be
// large.
const (
	maxMessage     = 32 << 10
	maxDescription = 512
)

// ErrorOf returns how an error is told.
func ErrorOf(err error) Error {
	return Error{Code: events.CodeOf(err), Message: cut(err.Error(), maxMessage)}
}

// Err returns the error that was told.
func (e Error) Err() error {
	return &events.Error{Code: e.Code, Message: e.Message}
}

// Description is the message as a header has it: one short line.
func (e Error) Description() string {
	return cut(strings.Join(strings.Fields(e.Message), " "), maxDescription)
}

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// MaxPart is the most of an answer that one message carries. It leaves room for
// headers below the smallest limit that NATS servers are commonly given.
const MaxPart = 480 << 10

// Parts cuts an answer into what its messages carry: at least one part.
func Parts(answer []byte) [][]byte {
	var parts [][]byte
	for len(answer) > MaxPart {
		parts = append(parts, answer[:MaxPart])
		answer = answer[MaxPart:]
	}
	return append(parts, answer)
}

// Encode encodes a request or an answer.
func Encode(v any) ([]byte, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // a command must not grow beyond its limit on the way
	if err := enc.Encode(v); err != nil {
		return nil, events.Errorf(events.CodeInvalid, "not representable as JSON: %w", err)
	}
	return bytes.TrimRight(body.Bytes(), "\n"), nil
}
