package publisher

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

// resume finds out where to continue: the next event to publish and the stream
// sequence that its message must follow. It creates the stream when there is
// none, and empties one that lacks events or has those of a history that a
// repair of the log has ended.
func (p *Publisher) resume(ctx context.Context) (next events.Position, last uint64, err error) {
	s, err := p.openStream(ctx)
	if err != nil {
		return next, 0, err
	}
	if s.empty() {
		return p.begin(ctx, s)
	}
	newest, err := s.read(ctx, s.state.LastSeq)
	if err != nil {
		return next, 0, err
	}
	superseded, err := p.checkNewest(ctx, newest)
	if err != nil {
		return next, 0, err
	}
	whole, err := p.isWhole(ctx, s)
	if err != nil {
		return next, 0, err
	}
	if superseded || !whole {
		return p.refill(ctx, s)
	}
	return newest.Next(), s.state.LastSeq, p.setOrigin(ctx, s, p.startOf(s))
}

// openStream gives the stream as it is now, which it creates when there is none.
func (p *Publisher) openStream(ctx context.Context) (s locator, err error) {
	name := StreamName(p.options.Cluster)
	stream, err := p.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		p.log.Info("creating the stream", "stream", name)
		stream, err = p.js.CreateStream(ctx, p.streamConfig())
	}
	if err != nil {
		return s, retry("stream %s: %w", name, err)
	}
	if s, err = newLocator(stream); err != nil {
		return s, err
	}
	return s, p.checkStream(s.origin, stream.CachedInfo().Config)
}

// origin is what this publisher's stream says of itself, when it begins with
// record start.
func (p *Publisher) origin(start uint64) provenance {
	return provenance{logID: p.options.LogID, epoch: p.options.Epoch, fork: p.options.Fork, start: start}
}

// setOrigin has the stream's metadata say that it is this publisher's and begins
// with record start.
func (p *Publisher) setOrigin(ctx context.Context, s locator, start uint64) error {
	config := s.stream.CachedInfo().Config
	if s.origin == p.origin(start) && !config.AllowDirect {
		return nil
	}
	config.AllowDirect = false
	config.Metadata = p.origin(start).addTo(config.Metadata)
	if _, err := p.js.UpdateStream(ctx, config); err != nil {
		return retry("metadata of stream %s: %w", config.Name, err)
	}
	return nil
}

// streamConfig describes a stream that loses nothing by itself: only a purge
// removes messages, and only in front.
func (p *Publisher) streamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        StreamName(p.options.Cluster),
		Description: "metalog events of cluster " + p.options.Cluster,
		Subjects:    []string{subjectRoot + p.options.Cluster + subjectKind + ">"},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		Storage:     jetstream.FileStorage,
		Replicas:    p.options.Replicas,
		MaxMsgs:     -1,
		MaxBytes:    -1,
		MaxMsgSize:  -1,
		DenyDelete:  true,
		AllowDirect: false, // a follower of the stream's leader may answer from what the stream was before
		Metadata:    p.origin(p.source.First()).addTo(nil),
	}
}

// checkStream refuses a stream of another log or of a later epoch, and one that
// somebody gave limits under which events would vanish.
func (p *Publisher) checkStream(o provenance, c jetstream.StreamConfig) error {
	if o.logID != p.options.LogID {
		return events.Errorf(events.CodeConflict, "stream %s belongs to log %s, this is log %s; choose another cluster name, or delete the stream", c.Name, o.logID, p.options.LogID)
	}
	if o.epoch > p.options.Epoch {
		return p.laterEpoch(o.epoch)
	}
	if c.Discard != jetstream.DiscardNew || c.Retention != jetstream.LimitsPolicy || c.MaxAge != 0 || c.MaxMsgsPerSubject > 0 {
		return events.Errorf(events.CodeConflict, "stream %s has limits (discard %s, retention %s, max age %s, max messages per subject %d) under which events vanish; remove them, or delete the stream and it is filled again", c.Name, c.Discard, c.Retention, c.MaxAge, c.MaxMsgsPerSubject)
	}
	return nil
}

func (p *Publisher) laterEpoch(epoch uint64) error {
	return events.Errorf(events.CodeFenced, "the stream was published from epoch %d of the log, this is epoch %d: the log was repaired elsewhere; open the repaired one", epoch, p.options.Epoch)
}

// checkNewest compares the stream's last message with the log. When the log does
// not contain it, either a repair of the log has ended the history that it is of,
// and it is superseded; or records were lost, and the stream is not continued.
func (p *Publisher) checkNewest(ctx context.Context, m *Message) (superseded bool, err error) {
	if m.LogID != p.options.LogID {
		return false, otherLog(m, p.options.LogID)
	}
	if m.Epoch > p.options.Epoch {
		return false, p.laterEpoch(m.Epoch)
	}
	if m.Epoch < p.options.Epoch && m.Seq > p.options.Fork {
		return true, nil
	}
	head := p.source.Head()
	if m.Seq > head.Seq {
		return false, events.Errorf(events.CodeCorrupt, "the stream is at seq %d, the log ends at %d: records were lost; restore the log, or delete stream %s to publish this log as it is", m.Seq, head.Seq, StreamName(p.options.Cluster))
	}
	hash, err := p.hashAt(ctx, m.Seq, head)
	if err != nil {
		return false, err
	}
	if hash != m.Hash && m.Epoch+1 < p.options.Epoch {
		return true, nil // an epoch between, whose fork is not known here, has ended it
	}
	if hash != m.Hash {
		return false, events.Errorf(events.CodeCorrupt, "seq %d has hash %s in the stream and %s in the log: the histories differ; find out which is right, and delete stream %s if it is the log", m.Seq, m.Hash, hash, StreamName(p.options.Cluster))
	}
	return false, nil
}

func otherLog(m *Message, want uuid.UUID) error {
	return events.Errorf(events.CodeConflict, "stream message %d (seq %d) is of log %s, not of %s; choose another cluster name, or delete the stream", m.StreamSeq, m.Seq, m.LogID, want)
}

// hashAt returns the hash of record seq, which is not beyond head. Of records
// that the log has no more, it knows that of the last one.
func (p *Publisher) hashAt(ctx context.Context, seq uint64, head events.Head) (events.Hash, error) {
	if seq == head.Seq {
		return head.Hash, nil
	}
	first := p.source.First()
	for rec, err := range p.source.Records(ctx, max(seq, first)) {
		switch {
		case err != nil:
			return events.Hash{}, err
		case rec.Seq == seq:
			return rec.Hash, nil
		case rec.Seq == seq+1:
			return rec.Prev, nil
		}
		break
	}
	return events.Hash{}, events.Errorf(events.CodeOutOfRange, "the stream is at seq %d, the log begins at %d: what is between can't be published; delete stream %s to begin with what is there", seq, first, StreamName(p.options.Cluster))
}

// startOf is the record that the stream begins with when nothing was removed that
// was to stay. A repair may have taken the log back to before the last trim: then
// what it put in the place of the lost records has to be in the stream.
func (p *Publisher) startOf(s locator) uint64 {
	start := s.origin.start
	switch missed := p.options.Epoch - s.origin.epoch; {
	case missed == 1:
		start = min(start, p.options.Fork+1)
	case missed > 1: // the forks between are not known here
		start = 1
	}
	return max(p.source.First(), start)
}

// isWhole reports whether the stream, which is not empty, begins where it should
// or before, and has no holes.
func (p *Publisher) isWhole(ctx context.Context, s locator) (bool, error) {
	if s.state.NumDeleted > 0 {
		return false, nil
	}
	oldest, err := s.read(ctx, s.state.FirstSeq)
	if err != nil {
		return false, err
	}
	return oldest.Index == 0 && oldest.Seq <= p.startOf(s), nil
}

// refill empties the stream, to fill it again from the log. What another
// publisher has stored meanwhile stays: the next message is then refused, and this
// one resumes from there.
func (p *Publisher) refill(ctx context.Context, s locator) (events.Position, uint64, error) {
	p.log.Warn("the stream lacks events, or has those of a history that was repaired; filling it again from the log", "from_seq", p.startOf(s))
	if err := s.stream.Purge(ctx, jetstream.WithPurgeSequence(s.state.LastSeq+1)); err != nil {
		return events.Position{}, 0, retry("purge: %w", err)
	}
	return p.begin(ctx, s)
}

// begin has an empty stream say where it begins.
func (p *Publisher) begin(ctx context.Context, s locator) (events.Position, uint64, error) {
	start := p.startOf(s)
	if head := p.source.Head().Seq; start > head+1 {
		return events.Position{}, 0, events.Errorf(events.CodeCorrupt, "the stream begins at seq %d, the log ends at %d: records were lost; restore the log, or delete stream %s to publish this log as it is", start, head, StreamName(p.options.Cluster))
	}
	return events.Position{Seq: start}, s.state.LastSeq, p.setOrigin(ctx, s, start)
}

// checkWhole has the publisher resume when something was removed from the stream
// while it was publishing, which no ack tells.
func (p *Publisher) checkWhole(ctx context.Context, s locator, last uint64) error {
	if s.state.LastSeq != last {
		return retry("the stream is at message %d, not at %d: another publisher wrote to it, or it was made anew", s.state.LastSeq, last)
	}
	if s.origin != p.origin(s.origin.start) {
		return retry("the stream's metadata were changed")
	}
	// An empty stream is whole only when there was nothing to publish.
	whole := p.Position().Seq <= p.startOf(s)
	if !s.empty() {
		var err error
		if whole, err = p.isWhole(ctx, s); err != nil {
			return err
		}
	}
	if !whole {
		return retry("events were removed from the stream")
	}
	return nil
}
