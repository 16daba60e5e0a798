package main

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// check compares the stream with the checkpoint, and takes over log id and epoch
// when it may be continued.
func (s *subscriber) check(info *jetstream.StreamInfo) error {
	c, meta := &s.state.Checkpoint, info.Config.Metadata
	s.epoch, s.fork = number(meta, "metalog_epoch", 1), number(meta, "metalog_fork_seq", 0)
	id := meta["metalog_log_id"]
	switch {
	case c.LogID != "" && c.LogID != id:
		return final("the stream is of log %s, what was counted is of log %s; connect to the right server, or begin anew", id, c.LogID)
	case c.LogID != "" && s.epoch < c.Epoch:
		return final("the stream is of epoch %d, what was counted is of epoch %d: it shows a log from before its repair; connect to the right server", s.epoch, c.Epoch)
	case s.epoch > c.Epoch && c.Last.Seq > s.fork && c.LogID != "":
		return final("the log was repaired: of what was counted, records %d to %d are not in it any more; begin anew from a snapshot", s.fork+1, c.Last.Seq)
	}
	if start := number(meta, "metalog_start", 1); start > c.Next.Seq {
		return gone(c.Next, position{Seq: start})
	}
	c.LogID, c.Epoch = id, s.epoch
	return nil
}

func gone(next, first position) error {
	return final("out of range: event %s is not in the stream any more, which begins at %s; begin anew from a snapshot", next, first)
}

// refillWait is how long a publisher may take to fill a stream again.
const refillWait = 30 * time.Second

// missing is for a stream that begins beyond the place without saying that it was
// trimmed: somebody purged it, and the publisher fills it again, or does not.
func (s *subscriber) missing(first position) error {
	if s.missingSince.IsZero() {
		s.missingSince = time.Now()
	}
	if time.Since(s.missingSince) < refillWait {
		return fmt.Errorf("event %s is not in the stream any more, which begins at %s", s.state.Checkpoint.Next, first)
	}
	return gone(s.state.Checkpoint.Next, first)
}

func number(meta map[string]string, key string, absent uint64) uint64 {
	if n, err := strconv.ParseUint(meta[key], 10, 64); err == nil {
		return n
	}
	return absent
}

// locate returns the sequence of the first message that reaches beyond the
// checkpoint, or the one after the last message when there is none yet.
func (s *subscriber) locate(ctx context.Context, stream jetstream.Stream, info jetstream.StreamState) (uint64, error) {
	if info.Msgs == 0 {
		return info.LastSeq + 1, nil
	}
	c := s.state.Checkpoint
	first, err := readHeaders(ctx, stream, info.FirstSeq)
	if err != nil {
		return 0, err
	}
	if c.Next.before(first.first) {
		return 0, s.missing(first.first)
	}
	s.missingSince = time.Time{}
	n := sort.Search(int(info.LastSeq-info.FirstSeq+1), func(i int) bool {
		if err != nil {
			return true
		}
		var m message
		m, err = readHeaders(ctx, stream, info.FirstSeq+uint64(i))
		return err != nil || c.Next.before(m.next)
	})
	if err != nil {
		return 0, err
	}
	at := info.FirstSeq + uint64(n)
	return at, s.checkLast(ctx, stream, info, at)
}

// checkLast sees that the last record seen is still the same one. It is in the
// message before at, if the stream has it; or else comes again, and is checked then.
func (s *subscriber) checkLast(ctx context.Context, stream jetstream.Stream, info jetstream.StreamState, at uint64) error {
	for _, seq := range []uint64{at - 1, at} { // at: when only a part of the record was seen
		if seq < info.FirstSeq || seq > info.LastSeq {
			continue
		}
		m, err := readHeaders(ctx, stream, seq)
		if err != nil {
			return err
		}
		if err := s.sameRecord(m); err != nil {
			return err
		}
	}
	return nil
}

// sameRecord refuses another record under the seq of the last one seen.
func (s *subscriber) sameRecord(m message) error {
	c := s.state.Checkpoint
	if m.logID != c.LogID {
		return final("a message is of log %s, the stream of log %s; its operator has to mend that", m.logID, c.LogID)
	}
	if m.first.Seq == c.Last.Seq && m.hash != c.Last.Hash {
		return final("record %d is another one than was counted: the log's history was changed; begin anew from a snapshot", c.Last.Seq)
	}
	return nil
}

func readHeaders(ctx context.Context, stream jetstream.Stream, seq uint64) (message, error) {
	raw, err := stream.GetMsg(ctx, seq)
	if err != nil {
		return message{}, err
	}
	return parseHeaders(raw.Header)
}
