package publisher

import (
	"context"
	"errors"
	"log/slog"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

// metadataLogID is the key of the log's id in a stream's metadata.
const metadataLogID = "metalog_log_id"

// resume finds out where to continue: the next event to publish and the stream
// sequence that its message must follow. It creates the stream when there is
// none, and empties one that does not begin where the log does.
func (p *Publisher) resume(ctx context.Context) (next events.Position, last uint64, err error) {
	stream, err := p.openStream(ctx)
	if err != nil {
		return events.Position{}, 0, err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return events.Position{Seq: p.source.First()}, state.LastSeq, nil
	}
	newest, err := p.readHeaders(ctx, stream, state.LastSeq)
	if err != nil {
		return events.Position{}, 0, err
	}
	if err := p.checkNewest(ctx, newest); err != nil {
		return events.Position{}, 0, err
	}
	whole, err := p.isWhole(ctx, stream, state)
	if err != nil {
		return events.Position{}, 0, err
	}
	if !whole {
		return p.refill(ctx, stream, state.LastSeq)
	}
	return newest.Next(), state.LastSeq, nil
}

func (p *Publisher) openStream(ctx context.Context) (jetstream.Stream, error) {
	name := StreamName(p.options.Cluster)
	stream, err := p.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		p.log.Info("creating the stream", "stream", name)
		stream, err = p.js.CreateStream(ctx, p.streamConfig())
	}
	if err != nil {
		return nil, retry("stream %s: %w", name, err)
	}
	return stream, p.checkStream(stream.CachedInfo().Config)
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
		AllowDirect: true,
		Metadata:    map[string]string{metadataLogID: p.options.LogID.String()},
	}
}

// checkStream refuses a stream of another log, and one that somebody gave
// limits under which events would vanish.
func (p *Publisher) checkStream(c jetstream.StreamConfig) error {
	if id := c.Metadata[metadataLogID]; id != p.options.LogID.String() {
		return events.Errorf(events.CodeConflict, "stream %s belongs to log %q, this is log %s; choose another cluster name, or delete the stream", c.Name, id, p.options.LogID)
	}
	if c.Discard != jetstream.DiscardNew || c.Retention != jetstream.LimitsPolicy || c.MaxAge != 0 || c.MaxMsgsPerSubject > 0 {
		return events.Errorf(events.CodeConflict, "stream %s has limits (discard %s, retention %s, max age %s, max messages per subject %d) under which events vanish; remove them, or delete the stream and it is filled again", c.Name, c.Discard, c.Retention, c.MaxAge, c.MaxMsgsPerSubject)
	}
	return nil
}

func (p *Publisher) readHeaders(ctx context.Context, stream jetstream.Stream, seq uint64) (*Message, error) {
	raw, err := stream.GetMsg(ctx, seq)
	if err != nil {
		return nil, retry("stream message %d: %w", seq, err)
	}
	return parseHeaders(raw.Header, seq)
}

// checkNewest refuses to continue a stream that the log does not contain.
func (p *Publisher) checkNewest(ctx context.Context, m *Message) error {
	if m.LogID != p.options.LogID {
		return otherLog(m, p.options.LogID)
	}
	if m.Epoch > p.options.Epoch {
		return events.Errorf(events.CodeFenced, "the stream was published from epoch %d of the log, this is epoch %d: the log was repaired elsewhere; open the repaired one", m.Epoch, p.options.Epoch)
	}
	head := p.source.Head()
	if m.Seq > head.Seq {
		return events.Errorf(events.CodeCorrupt, "the stream is at seq %d, the log ends at %d: records were lost; restore the log, or delete stream %s to publish this log as it is", m.Seq, head.Seq, StreamName(p.options.Cluster))
	}
	hash, err := p.hashAt(ctx, m.Seq, head)
	if err != nil {
		return err
	}
	if hash != m.Hash {
		return events.Errorf(events.CodeCorrupt, "seq %d has hash %s in the stream and %s in the log: the histories differ; find out which is right, and delete stream %s if it is the log", m.Seq, m.Hash, hash, StreamName(p.options.Cluster))
	}
	return nil
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

// isWhole reports whether nothing was removed from the stream: it begins at the
// log's first record or before, and has no holes.
func (p *Publisher) isWhole(ctx context.Context, stream jetstream.Stream, state jetstream.StreamState) (bool, error) {
	if state.NumDeleted > 0 {
		return false, nil
	}
	oldest, err := p.readHeaders(ctx, stream, state.FirstSeq)
	if err != nil {
		return false, err
	}
	return oldest.Index == 0 && oldest.Seq <= p.source.First(), nil
}

// refill empties the stream up to sequence last, to fill it from the log's first
// record on. What another publisher has stored after last stays: the next
// message is then refused, and this one resumes from there.
func (p *Publisher) refill(ctx context.Context, stream jetstream.Stream, last uint64) (events.Position, uint64, error) {
	p.log.Warn("the stream lacks events; filling it again from the log", slog.Uint64("from_seq", p.source.First()))
	if err := stream.Purge(ctx, jetstream.WithPurgeSequence(last+1)); err != nil {
		return events.Position{}, 0, retry("purge: %w", err)
	}
	return events.Position{Seq: p.source.First()}, last, nil
}

// checkWhole has the publisher resume when something was removed from the stream
// while it was publishing, which no ack tells.
func (p *Publisher) checkWhole(ctx context.Context, last uint64) error {
	stream, err := p.openStream(ctx)
	if err != nil {
		return err
	}
	state := stream.CachedInfo().State
	if state.LastSeq != last {
		return retry("the stream is at message %d, not at %d: another publisher wrote to it, or it was made anew", state.LastSeq, last)
	}
	// An empty stream is whole only when there was nothing to publish.
	whole := p.Position().Seq <= p.source.First()
	if state.Msgs > 0 {
		whole, err = p.isWhole(ctx, stream, state)
	}
	if err == nil && !whole {
		err = retry("events were removed from the stream")
	}
	return err
}
