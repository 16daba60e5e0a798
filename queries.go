package metalog

import (
	"context"
	"errors"
	"iter"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// queries implements [Reader] over any views: acquire gives a snapshot for one
// answer and how to let go of it.
type queries struct {
	acquire func(ctx context.Context) (reader *views.Reader, release func() error, err error)
	info    func(*views.Reader) (Info, error)
}

// ask answers one question from one snapshot.
func ask[T any](ctx context.Context, q queries, question func(*views.Reader) (T, error)) (answer T, err error) {
	if err := ctx.Err(); err != nil {
		return answer, events.Errorf(events.CodeUnavailable, "read: %w", err)
	}
	reader, release, err := q.acquire(ctx)
	if err != nil {
		return answer, err
	}
	defer func() { err = errors.Join(err, release()) }()
	return question(reader)
}

// list yields what a scan of one snapshot gives, and lets go of the snapshot when the
// loop ends.
func list[T any](ctx context.Context, q queries, scan func(*views.Reader) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		stopped := false
		_, err := ask(ctx, q, func(r *views.Reader) (none T, err error) {
			for row, err := range scan(r) {
				if err == nil && ctx.Err() != nil {
					err = events.Errorf(events.CodeUnavailable, "read: %w", ctx.Err())
				}
				if err != nil {
					return none, err
				}
				if stopped = !yield(row, nil); stopped {
					break
				}
			}
			return none, nil
		})
		if err != nil && !stopped {
			var none T
			yield(none, err)
		}
	}
}

// Collect copies a list out. No rows is an empty list, not nil.
func Collect[T any](rows iter.Seq2[T, error]) ([]T, error) {
	list := []T{}
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, nil
}

// askTopic answers a question about a topic that must exist, without its config.
func askTopic[T any](ctx context.Context, q queries, name string, question func(*views.Reader, events.Topic) (T, error)) (T, error) {
	return ask(ctx, q, func(r *views.Reader) (answer T, err error) {
		topic, err := r.TopicRow(name)
		if err != nil {
			return answer, err
		}
		return question(r, topic)
	})
}

// below makes a scan of what hangs on a topic, which must exist.
func below[T any](name string, scan func(*views.Reader, events.Topic) iter.Seq2[T, error]) func(*views.Reader) iter.Seq2[T, error] {
	return func(r *views.Reader) iter.Seq2[T, error] {
		topic, err := r.TopicRow(name)
		if err != nil {
			return failed[T](err)
		}
		return scan(r, topic)
	}
}

// failed is a list that can't be read.
func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

// askPartition answers a question about a partition that must exist.
func askPartition[T any](ctx context.Context, q queries, topic string, partition int32, question func(*views.Reader, events.Partition) (T, error)) (T, error) {
	return askTopic(ctx, q, topic, func(r *views.Reader, t events.Topic) (answer T, err error) {
		if _, err := partitionOf(t, partition); err != nil {
			return answer, err
		}
		p, err := r.Partition(t, partition)
		if err != nil {
			return answer, err
		}
		return question(r, p)
	})
}

func (q queries) GetTopic(ctx context.Context, name string) (events.Topic, error) {
	return ask(ctx, q, func(r *views.Reader) (events.Topic, error) { return r.Topic(name) })
}

func (q queries) ListTopics(ctx context.Context) iter.Seq2[events.Topic, error] {
	return list(ctx, q, (*views.Reader).Topics)
}

func (q queries) GetSegment(ctx context.Context, topic, id string) (events.Segment, error) {
	return askTopic(ctx, q, topic, func(r *views.Reader, t events.Topic) (events.Segment, error) {
		return r.Segment(t.ID, id)
	})
}

func (q queries) ListSegments(ctx context.Context, topic string, partition int32) iter.Seq2[events.Segment, error] {
	return list(ctx, q, below(topic, func(r *views.Reader, t events.Topic) iter.Seq2[events.Segment, error] {
		if partition != AllPartitions {
			if _, err := partitionOf(t, partition); err != nil {
				return failed[events.Segment](err)
			}
		}
		return r.Segments(t.ID, partition)
	}))
}

func (q queries) FindSegment(ctx context.Context, topic string, partition int32, offset int64) (events.Segment, error) {
	return ask(ctx, q, func(r *views.Reader) (events.Segment, error) {
		id, _, err := r.TopicID(topic)
		if err != nil {
			return events.Segment{}, err
		}
		segment, err := r.FindSegment(id, partition, events.SegmentLog, offset)
		return segment, whyMissing(r, topic, partition, err)
	})
}

// whyMissing is the error for what is not there in a partition, after err tells that it
// isn't: that there is no such topic, or no such partition, or else err. So what is there
// is found without looking at either.
func whyMissing(r *views.Reader, topic string, partition int32, err error) error {
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	t, missing := r.TopicRow(topic)
	if missing == nil {
		_, missing = partitionOf(t, partition)
	}
	if missing != nil {
		return missing
	}
	return err
}

func (q queries) GetBroker(ctx context.Context, id int32) (events.Broker, error) {
	return ask(ctx, q, func(r *views.Reader) (events.Broker, error) { return r.Broker(id) })
}

func (q queries) ListBrokers(ctx context.Context) iter.Seq2[events.Broker, error] {
	return list(ctx, q, (*views.Reader).Brokers)
}

func (q queries) GetPartition(ctx context.Context, topic string, partition int32) (events.Partition, error) {
	return askPartition(ctx, q, topic, partition, func(_ *views.Reader, p events.Partition) (events.Partition, error) {
		return p, nil
	})
}

func (q queries) ListPartitions(ctx context.Context, topic string) iter.Seq2[events.Partition, error] {
	return list(ctx, q, below(topic, (*views.Reader).Partitions))
}

func (q queries) GetPartitionLeader(ctx context.Context, topic string, partition int32) (events.Broker, error) {
	return askPartition(ctx, q, topic, partition, func(r *views.Reader, p events.Partition) (events.Broker, error) {
		if p.Leader == events.NoLeader {
			return events.Broker{}, events.Errorf(events.CodeNotFound, "%s: it has no leader; one is elected when a broker of its ISR %v is online", partitionLabel(p.PartitionRef), p.ISR)
		}
		return r.Broker(p.Leader)
	})
}

func (q queries) GetPartitionReplicas(ctx context.Context, topic string, partition int32) (events.BrokerIDs, error) {
	return askPartition(ctx, q, topic, partition, func(_ *views.Reader, p events.Partition) (events.BrokerIDs, error) {
		return p.Replicas, nil
	})
}

func (q queries) GetGroup(ctx context.Context, id string) (events.Group, error) {
	return ask(ctx, q, func(r *views.Reader) (events.Group, error) { return r.Group(id) })
}

func (q queries) ListGroups(ctx context.Context) iter.Seq2[events.Group, error] {
	return list(ctx, q, (*views.Reader).Groups)
}

func (q queries) GetOffset(ctx context.Context, group, topic string, partition int32) (events.Offset, error) {
	return ask(ctx, q, func(r *views.Reader) (events.Offset, error) {
		offset, err := r.Offset(group, topic, partition)
		return offset, whyMissing(r, topic, partition, err)
	})
}

func (q queries) ListOffsets(ctx context.Context, group string) iter.Seq2[events.Offset, error] {
	return list(ctx, q, func(r *views.Reader) iter.Seq2[events.Offset, error] {
		g, err := r.Group(group)
		if err != nil {
			return failed[events.Offset](err)
		}
		return r.Offsets(g)
	})
}

func (q queries) ListTopicOffsets(ctx context.Context, topic string) iter.Seq2[events.Offset, error] {
	return list(ctx, q, below(topic, (*views.Reader).OffsetsOfTopic))
}

func (q queries) GetConfig(ctx context.Context, of events.EntityRef) (events.ConfigEntry, error) {
	return ask(ctx, q, func(r *views.Reader) (events.ConfigEntry, error) {
		scope, err := resolveScope(r, of)
		if err != nil {
			return events.ConfigEntry{}, err
		}
		return r.Config(scope)
	})
}

func (q queries) ListConfigs(ctx context.Context) iter.Seq2[events.ConfigEntry, error] {
	return list(ctx, q, (*views.Reader).Configs)
}

func (q queries) GetTransaction(ctx context.Context, transactionalID string) (events.Transaction, error) {
	return ask(ctx, q, func(r *views.Reader) (events.Transaction, error) { return r.Transaction(transactionalID) })
}

func (q queries) ListTransactions(ctx context.Context) iter.Seq2[events.Transaction, error] {
	return list(ctx, q, (*views.Reader).Transactions)
}

func (q queries) Info(ctx context.Context) (Info, error) {
	return ask(ctx, q, q.info)
}

// resolveScope finds the owner of a config, which must exist.
func resolveScope(r *views.Reader, of events.EntityRef) (events.Scope, error) {
	scope := events.Scope{Of: of}
	switch of.Kind {
	case events.KindCluster:
		return scope, nil
	case events.KindTopic:
		topic, err := r.Topic(of.ID)
		scope.TopicID = topic.ID
		return scope, err
	case events.KindGroup:
		group, err := r.Group(of.ID)
		scope.GroupID = group.GroupID
		return scope, err
	case events.KindBroker:
		id, err := brokerID(of.ID)
		if err == nil {
			_, err = r.Broker(id)
		}
		return scope, err
	}
	return scope, events.Errorf(events.CodeInvalid, "%s has no config; it is cluster, topic/NAME, broker/ID or group/ID", of)
}
