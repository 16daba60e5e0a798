package client

import (
	"context"
	"iter"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

func (r reads) GetTopic(ctx context.Context, name string) (events.Topic, error) {
	return ask(ctx, r, wire.GetTopic, wire.Name{Name: name})
}

func (r reads) ListTopics(ctx context.Context) iter.Seq2[events.Topic, error] {
	return list(ctx, r, wire.ListTopics, wire.Nothing{})
}

func (r reads) GetSegment(ctx context.Context, topic, id string) (events.Segment, error) {
	return ask(ctx, r, wire.GetSegment, wire.Segment{Topic: topic, ID: id})
}

func (r reads) ListSegments(ctx context.Context, topic string, partition int32) iter.Seq2[events.Segment, error] {
	if partition == metalog.AllPartitions {
		return list(ctx, r, wire.ListSegments, wire.Partitions{Topic: topic})
	}
	return list(ctx, r, wire.ListSegments, wire.Partitions{Topic: topic, Partition: &partition})
}

func (r reads) FindSegment(ctx context.Context, topic string, partition int32, offset int64) (events.Segment, error) {
	return ask(ctx, r, wire.FindSegment, wire.Position{Partition: wire.Partition{Topic: topic, Partition: partition}, Offset: offset})
}

func (r reads) GetBroker(ctx context.Context, id int32) (events.Broker, error) {
	return ask(ctx, r, wire.GetBroker, wire.BrokerID{ID: id})
}

func (r reads) ListBrokers(ctx context.Context) iter.Seq2[events.Broker, error] {
	return list(ctx, r, wire.ListBrokers, wire.Nothing{})
}

func (r reads) GetPartition(ctx context.Context, topic string, partition int32) (events.Partition, error) {
	return ask(ctx, r, wire.GetPartition, wire.Partition{Topic: topic, Partition: partition})
}

func (r reads) ListPartitions(ctx context.Context, topic string) iter.Seq2[events.Partition, error] {
	return list(ctx, r, wire.ListPartitions, wire.Name{Name: topic})
}

func (r reads) GetPartitionLeader(ctx context.Context, topic string, partition int32) (events.Broker, error) {
	return ask(ctx, r, wire.GetPartitionLeader, wire.Partition{Topic: topic, Partition: partition})
}

func (r reads) GetPartitionReplicas(ctx context.Context, topic string, partition int32) (events.BrokerIDs, error) {
	return ask(ctx, r, wire.GetPartitionReplicas, wire.Partition{Topic: topic, Partition: partition})
}

func (r reads) GetGroup(ctx context.Context, id string) (events.Group, error) {
	return ask(ctx, r, wire.GetGroup, wire.ID{ID: id})
}

func (r reads) ListGroups(ctx context.Context) iter.Seq2[events.Group, error] {
	return list(ctx, r, wire.ListGroups, wire.Nothing{})
}

func (r reads) GetOffset(ctx context.Context, group, topic string, partition int32) (events.Offset, error) {
	return ask(ctx, r, wire.GetOffset, wire.GroupPartition{Group: group, Partition: wire.Partition{Topic: topic, Partition: partition}})
}

func (r reads) ListOffsets(ctx context.Context, group string) iter.Seq2[events.Offset, error] {
	return list(ctx, r, wire.ListOffsets, wire.ID{ID: group})
}

func (r reads) ListTopicOffsets(ctx context.Context, topic string) iter.Seq2[events.Offset, error] {
	return list(ctx, r, wire.ListTopicOffsets, wire.Name{Name: topic})
}

func (r reads) GetConfig(ctx context.Context, scope events.EntityRef) (events.ConfigEntry, error) {
	return ask(ctx, r, wire.GetConfig, wire.Scope{Scope: scope})
}

func (r reads) ListConfigs(ctx context.Context) iter.Seq2[events.ConfigEntry, error] {
	return list(ctx, r, wire.ListConfigs, wire.Nothing{})
}

func (r reads) GetTransaction(ctx context.Context, transactionalID string) (events.Transaction, error) {
	return ask(ctx, r, wire.GetTransaction, wire.ID{ID: transactionalID})
}

func (r reads) ListTransactions(ctx context.Context) iter.Seq2[events.Transaction, error] {
	return list(ctx, r, wire.ListTransactions, wire.Nothing{})
}

func (r reads) Info(ctx context.Context) (metalog.Info, error) {
	return ask(ctx, r, wire.Info, wire.Nothing{})
}
