package publisher

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	heartbeat        = 2 * time.Second // of an idle consumer; after two without, it is made anew
	inactive         = time.Minute     // after which the server removes a consumer that nobody reads
	deleteTimeout    = 2 * time.Second
	prefetchMessages = 1000
	prefetchBytes    = 8 << 20
	batchMessages    = 256 // decoded ahead of the subscriber
)

func (s *subscription) consumerConfig(startSeq uint64) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       startSeq,
		AckPolicy:         jetstream.AckNonePolicy,
		FilterSubjects:    s.subjects,
		InactiveThreshold: inactive,
		MemoryStorage:     true,
		Replicas:          1,
	}
}

// deleteConsumer spares the server the wait; if it fails, the server removes the
// consumer by itself.
func (s *subscription) deleteConsumer(ctx context.Context, stream jetstream.Stream, consumer jetstream.Consumer) {
	if !s.js.Conn().IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	if err := stream.DeleteConsumer(ctx, consumer.CachedInfo().Name); err != nil {
		s.log.Debug("consumer not deleted", "error", err)
	}
}

// delivery is what one consumer sends.
type delivery struct {
	stream   jetstream.Stream
	consumer jetstream.Consumer
	created  time.Time // of the stream; one that was made anew has another
	covered  uint64    // all up to this stream sequence that match have come
}

// arrival is a message that the server sent, or why no more come.
type arrival struct {
	message *Message
	err     error
}

// consume yields what the consumer sends, until something fails or yield returns
// false, which gives nil. Messages are received and decoded ahead, so that they
// come in batches when there are many.
func (s *subscription) consume(ctx context.Context, d *delivery, yield func(*Message) bool) error {
	messages, err := d.consumer.Messages(
		jetstream.PullMaxMessagesWithBytesLimit(prefetchMessages, s.prefetchBytes()),
		jetstream.PullHeartbeat(heartbeat),
		jetstream.WithMessagesErrOnMissingHeartbeat(true),
	)
	if err != nil {
		return retry("consumer: %w", err)
	}
	receiving, cancel := context.WithCancel(ctx)
	arrivals := make(chan arrival, batchMessages)
	var receiver sync.WaitGroup
	receiver.Go(func() { receive(receiving, messages, arrivals) })
	defer receiver.Wait()
	defer messages.Stop()
	defer cancel()
	for batch := []arrival(nil); ; {
		batch = nextBatch(ctx, arrivals, batch[:0])
		if s.order.filtered {
			if err := d.cover(ctx, batch); err != nil {
				return err
			}
		}
		if done, err := s.deliver(batch, yield); done || err != nil {
			return err
		}
	}
}

// prefetchBytes leaves room for the largest message that the server takes.
func (s *subscription) prefetchBytes() int {
	return max(prefetchBytes, 2*int(s.js.Conn().MaxPayload()))
}

// receive passes on what comes until ctx is done or nothing comes any more. An
// error is the last arrival.
func receive(ctx context.Context, messages jetstream.MessagesContext, to chan<- arrival) {
	for n := uint64(1); ; n++ {
		m, err := receiveOne(ctx, messages, n)
		select {
		case to <- arrival{m, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// receiveOne returns the next message, which has to be the consumer's nth.
func receiveOne(ctx context.Context, messages jetstream.MessagesContext, n uint64) (*Message, error) {
	raw, err := messages.Next(jetstream.NextContext(ctx))
	if err != nil {
		return nil, retry("next message: %w", err)
	}
	meta, err := raw.Metadata()
	if err != nil {
		return nil, retry("next message: %w", err)
	}
	if meta.Sequence.Consumer != n {
		return nil, retry("the consumer's message %d came instead of %d", meta.Sequence.Consumer, n)
	}
	return parseMessage(raw.Subject(), raw.Headers(), raw.Data(), meta.Sequence.Stream)
}

// nextBatch waits for an arrival and takes those that are there after it.
func nextBatch(ctx context.Context, arrivals <-chan arrival, batch []arrival) []arrival {
	select {
	case a := <-arrivals:
		batch = append(batch, a)
	case <-ctx.Done():
		return append(batch, arrival{err: ctx.Err()})
	}
	for batch[len(batch)-1].err == nil {
		select {
		case a := <-arrivals:
			batch = append(batch, a)
		default:
			return batch
		}
	}
	return batch
}

// cover checks that of the messages which the filter left out none was removed
// before the consumer came to it: it might have matched. What is removed is the
// stream's front, and never comes back. So when the stream, after the batch has
// come, still begins where the last one ended or before, nothing is missing.
func (d *delivery) cover(ctx context.Context, batch []arrival) error {
	end := d.covered
	whole := true
	for _, a := range batch {
		if a.err == nil {
			whole = whole && a.message.StreamSeq == end+1
			end = a.message.StreamSeq
		}
	}
	if !whole {
		if err := d.checkFront(ctx); err != nil {
			return err
		}
	}
	d.covered = end
	return nil
}

// checkFront checks that the stream is the one that the consumer's place was found
// in, and still has all that follows what is covered.
func (d *delivery) checkFront(ctx context.Context) error {
	info, err := d.stream.Info(ctx)
	if err != nil {
		return retry("stream: %w", err)
	}
	if info.State.FirstSeq > d.covered+1 || !info.Created.Equal(d.created) {
		return retry("the stream was trimmed, purged or made anew; it begins at message %d, and %d was read last", info.State.FirstSeq, d.covered)
	}
	return nil
}

// deliver yields a batch. done tells that yield wants no more.
func (s *subscription) deliver(batch []arrival, yield func(*Message) bool) (done bool, err error) {
	for _, a := range batch {
		if a.err != nil {
			return false, a.err
		}
		m, err := s.order.accept(a.message)
		if err != nil {
			return false, err
		}
		if m = s.wanted(m); m != nil && !yield(m) {
			return true, nil
		}
	}
	return false, nil
}

// wanted returns nil for a message that only marks the filter's place, unless
// those are asked for.
func (s *subscription) wanted(m *Message) *Message {
	if m == nil || s.options.Filter.all() || s.options.Filter.matches(m) {
		return m
	}
	if !s.options.Progress {
		return nil
	}
	m.Events = nil
	return m
}
