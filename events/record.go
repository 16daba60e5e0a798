package events

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
)

// Limits of a record. A cascade over the record's limits goes on in further
// records (docs/architecture.md, "Cascades").
const (
	MaxEventBytes    = 512 << 10 // encoded payload of one event
	MaxRecordPayload = 768 << 10 // encoded payloads of one record, summed
	MaxRecordEvents  = 4096 + 1  // a causing event and 4,096 derived ones
	MaxRecordBytes   = 1 << 20   // the encoded record: what a reader will accept

	MaxCommandIDBytes = 128 // of Meta.CommandID
	MaxActorBytes     = 256 // of Meta.Actor
	MaxReasonBytes    = 1024
)

// Record holds all the events of one command. It is the unit of atomicity: one
// log entry with one seq.
type Record struct {
	Seq   uint64 // 1, 2, 3… without gaps
	Time  Time   // assigned by the writer; never goes back
	Prev  Hash   // hash of the frame before this one; zero in the first
	Meta  Meta
	Facts []Fact

	// Hash is that of the record's own frame. It is not part of the encoding:
	// who reads or writes the frame sets it.
	Hash Hash
}

// Fact is an event as it stands in a record.
type Fact struct {
	Event Event
	// Derived tells that another event of the same cascade caused this one.
	Derived bool
	// Cause is the index in the record of the event that caused this one, or
	// NoCause. A derived event with NoCause was caused by the record's
	// Meta.Cause: it continues a cascade that began in an earlier record.
	Cause int
}

// NoCause is the Fact.Cause of an event with no cause in its record.
const NoCause = -1

// Meta tells where a record came from. All of it is optional.
type Meta struct {
	CommandID   string    `cbor:"1,keyasint,omitempty" json:"command_id,omitempty"`
	CommandHash []byte    `cbor:"2,keyasint,omitempty" json:"command_hash,omitempty"` // SHA-256 of the command's body, with CommandID only
	Actor       string    `cbor:"3,keyasint,omitempty" json:"actor,omitempty"`
	Cause       *Position `cbor:"4,keyasint,omitempty" json:"cause,omitempty"`
	Reason      string    `cbor:"5,keyasint,omitempty" json:"reason,omitempty"`
}

// Position is where an event stands in the log.
type Position struct {
	_     struct{} `cbor:",toarray"`
	Seq   uint64   `json:"seq"`
	Index int      `json:"index"` // of the event in its record, from 0
}

func (p Position) String() string { return fmt.Sprintf("%d.%d", p.Seq, p.Index) }

// CauseOf returns the position of the event that caused fact i of the record,
// or nil for an event that a command asked for.
func (r *Record) CauseOf(i int) *Position {
	f := r.Facts[i]
	switch {
	case f.Cause != NoCause:
		return &Position{Seq: r.Seq, Index: f.Cause}
	default:
		return r.Meta.Cause
	}
}

// Hash is a SHA-256.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText gives the hash in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(h) {
		return fmt.Errorf("hash %q: want %d hexadecimal digits", text, 2*len(h))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// Head is the end of a log: the last seq and the hash of its frame. The head of
// an empty log is the zero Head.
type Head struct {
	Seq  uint64 `cbor:"1,keyasint" json:"seq"`
	Hash Hash   `cbor:"2,keyasint" json:"hash"`
}

// Reader reads records in order. What it shows is durable: no crash takes it
// back. It is safe for concurrent use.
type Reader interface {
	// Records yields the records from seq from (1 or more) to the head as it
	// stood when Records was called. An error ends it: ErrOutOfRange for a from
	// before First or beyond the head + 1, ErrCorrupt naming segment, seq and
	// byte for damage, or ctx's.
	Records(ctx context.Context, from uint64) iter.Seq2[*Record, error]
	// First returns the seq of the first record that is still there, 1 unless
	// the log was archived; head + 1 for an empty log.
	First() uint64
	// Head returns the last durable position.
	Head() Head
}
