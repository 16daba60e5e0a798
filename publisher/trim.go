package publisher

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

// trimShare: a stream is trimmed when this part of what it keeps can go, so that
// this happens now and then and not all the time.
const trimShare = 8

// trim removes records from the stream's front that it need not keep: whole ones,
// never the last message, nothing from the last record of the oldest snapshot on
// offer on, and nothing while there is no snapshot. That the stream then begins
// later on purpose is in its metadata before anything is removed, so no subscriber
// takes it for a loss, and no publisher fills the stream again.
func (p *Publisher) trim(ctx context.Context, s locator) error {
	retain, published := p.options.RetainRecords, p.Position().Seq
	if retain == 0 || s.empty() || published <= retain {
		return nil
	}
	offered, err := p.oldestOffer(ctx)
	if err != nil || offered == 0 {
		return err
	}
	start := min(published-retain, offered) // with its last record, by whose hash a fork is told
	if start < s.origin.start+retain/trimShare+1 {
		return nil
	}
	first, err := s.search(ctx, func(m *Message) bool { return m.Seq >= start })
	if err != nil || first > s.state.LastSeq {
		return err
	}
	if err := p.setOrigin(ctx, s, start); err != nil {
		return err
	}
	p.log.Info("trimming the stream", "start_seq", start, "messages", first-s.state.FirstSeq)
	if err := s.stream.Purge(ctx, jetstream.WithPurgeSequence(first)); err != nil {
		return retry("trim: %w", err)
	}
	return nil
}
