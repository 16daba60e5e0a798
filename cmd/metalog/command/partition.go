package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (a *app) partitionCommand() *cobra.Command {
	return a.noun("partition", "Partitions: who holds them, and how far they go",
		a.partitionAssign(), a.partitionList(), a.partitionDescribe(), a.partitionLeader(), a.partitionReplicas(),
		a.partitionReassign(), a.partitionISR(), a.partitionWatermark())
}

// ofPartition makes the body of a command whose arguments are TOPIC PARTITION.
func (a *app) ofPartition(body func(ctx context.Context, topic string, partition int32) error) func(*cobra.Command, []string) error {
	return a.run(func(ctx context.Context, args []string) error {
		partition, err := int32Arg("PARTITION", args[1])
		if err != nil {
			return err
		}
		return body(ctx, args[0], partition)
	})
}

func (a *app) partitionAssign() *cobra.Command {
	c := metalog.AssignPartition{}
	cmd := &cobra.Command{
		Use:               "assign TOPIC PARTITION --replicas 1,2,3",
		Short:             "Give a partition that nobody holds its replicas",
		Example:           "  metalog partition assign orders 0 --replicas 1,2,3 --leader 2",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeTopic,
		RunE: a.ofPartition(func(ctx context.Context, topic string, partition int32) error {
			c.Topic, c.Partition = topic, partition
			return a.write(ctx, c, a.showPartition(topic, partition))
		}),
	}
	f := cmd.Flags()
	f.Var(brokerList{&c.Replicas}, "replicas", "brokers, the preferred leader first")
	f.Var(optionalInt32(&c.Leader), "leader", "broker that leads (default: the first one online)")
	f.Var(brokerList{&c.ISR}, "isr", "brokers in sync (default: the replicas that are not offline)")
	f.Var(optionalInt32(&c.LeaderEpoch), "leader-epoch", "leader epoch to begin with (default: the first that was never used)")
	require(cmd, "replicas")
	return cmd
}

func (a *app) partitionList() *cobra.Command {
	return &cobra.Command{
		Use:               "list TOPIC",
		Short:             "List a topic's partitions",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeTopic,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.readViews(ctx, func(from metalog.Reader) error {
				return printList(a, "partitions", from.ListPartitions(ctx, args[0]), partitionColumns...)
			})
		}),
	}
}

var partitionColumns = []column[events.Partition]{
	{"PARTITION", func(p events.Partition) any { return p.Partition }},
	{"REPLICAS", func(p events.Partition) any { return p.Replicas }},
	{"ISR", func(p events.Partition) any { return p.ISR }},
	{"LEADER", func(p events.Partition) any { return p.Leader }},
	{"EPOCH", func(p events.Partition) any { return p.LeaderEpoch }},
	{"LOG START", func(p events.Partition) any { return p.LogStartOffset }},
	{"HIGH", func(p events.Partition) any { return p.HighWatermark }},
	{"REVISION", func(p events.Partition) any { return p.Revision }},
}

func (a *app) partitionDescribe() *cobra.Command {
	return &cobra.Command{
		Use:               "describe TOPIC PARTITION",
		Short:             "Show a partition",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeTopic,
		RunE:              a.ofPartition(a.describePartition),
	}
}

func (a *app) describePartition(ctx context.Context, topic string, partition int32) error {
	return a.show(ctx, a.showPartition(topic, partition))
}

func (a *app) partitionLeader() *cobra.Command {
	var elect, epoch *int32
	cmd := &cobra.Command{
		Use:               "leader TOPIC PARTITION",
		Short:             "Show the broker that leads a partition, or elect one",
		Example:           "  metalog partition leader orders 0\n  metalog partition leader orders 0 --elect 2",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeTopic,
		RunE: a.ofPartition(func(ctx context.Context, topic string, partition int32) error {
			if elect != nil {
				c := metalog.ElectLeader{Topic: topic, Partition: partition, Leader: *elect, LeaderEpoch: epoch}
				return a.write(ctx, c, a.showPartition(topic, partition))
			}
			return a.readViews(ctx, func(from metalog.Reader) error {
				leader, err := from.GetPartitionLeader(ctx, topic, partition)
				if err != nil {
					return err
				}
				return a.printObject(leader)
			})
		}),
	}
	f := cmd.Flags()
	f.Var(optionalInt32(&elect), "elect", "broker that leads from now on (-1: none)")
	f.Var(optionalInt32(&epoch), "leader-epoch", "leader epoch that the election follows")
	return cmd
}

func (a *app) partitionReplicas() *cobra.Command {
	return &cobra.Command{
		Use:               "replicas TOPIC PARTITION",
		Short:             "Show the brokers that hold a partition",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeTopic,
		RunE: a.ofPartition(func(ctx context.Context, topic string, partition int32) error {
			return a.readViews(ctx, func(from metalog.Reader) error {
				replicas, err := from.GetPartitionReplicas(ctx, topic, partition)
				if err != nil {
					return err
				}
				return a.say(replicas, "%s", joinIDs(replicas))
			})
		}),
	}
}

func (a *app) partitionReassign() *cobra.Command {
	c := metalog.ReassignPartition{}
	cmd := &cobra.Command{
		Use:               "reassign TOPIC PARTITION --replicas 2,3,4",
		Short:             "Give a partition other replicas",
		Example:           "  metalog partition reassign orders 0 --replicas 2,3,4 --leader 2",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeTopic,
		RunE: a.ofPartition(func(ctx context.Context, topic string, partition int32) error {
			c.Topic, c.Partition = topic, partition
			return a.write(ctx, c, a.showPartition(topic, partition))
		}),
	}
	f := cmd.Flags()
	f.Var(brokerList{&c.Replicas}, "replicas", "brokers, the preferred leader first")
	f.Var(optionalInt32(&c.Leader), "leader", "broker that leads (default: the present one if it can stay)")
	f.BoolVar(&c.Unclean, "unclean", false, "even if no replica is kept that was in sync: data may be lost")
	require(cmd, "replicas")
	return cmd
}

func (a *app) partitionISR() *cobra.Command {
	c := metalog.ChangeISR{}
	cmd := &cobra.Command{
		Use:               "isr TOPIC PARTITION --isr 1,2",
		Short:             "Set which replicas are in sync",
		Example:           "  metalog partition isr orders 0 --isr 1,2",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeTopic,
		RunE: a.ofPartition(func(ctx context.Context, topic string, partition int32) error {
			c.Topic, c.Partition = topic, partition
			return a.write(ctx, c, a.showPartition(topic, partition))
		}),
	}
	f := cmd.Flags()
	f.Var(brokerList{&c.ISR}, "isr", "brokers that are in sync")
	f.Var(optionalInt32(&c.LeaderEpoch), "leader-epoch", "leader epoch of who asks")
	f.Var(optionalInt32(&c.PartitionEpoch), "partition-epoch", "partition epoch that the change follows")
	require(cmd, "isr")
	return cmd
}

func (a *app) partitionWatermark() *cobra.Command {
	c := metalog.AdvanceWatermarks{}
	cmd := &cobra.Command{
		Use:               "watermark TOPIC PARTITION [--high N] [--log-start N]",
		Short:             "Advance a partition's watermarks, or show them",
		Example:           "  metalog partition watermark orders 0 --high 5000 --log-start 1000",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeTopic,
		RunE: a.ofPartition(func(ctx context.Context, topic string, partition int32) error {
			if c.High == nil && c.LogStart == nil {
				return a.describePartition(ctx, topic, partition)
			}
			c.Topic, c.Partition = topic, partition
			return a.write(ctx, c, a.showPartition(topic, partition))
		}),
	}
	f := cmd.Flags()
	f.Var(optionalInt64(&c.High), "high", "offset below which all is replicated")
	f.Var(optionalInt64(&c.LogStart), "log-start", "offset below which all is gone: segments below it are removed")
	f.Var(optionalInt32(&c.LeaderEpoch), "leader-epoch", "leader epoch of who asks")
	a.dryRunFlag(cmd)
	return cmd
}

// showPartition prints a partition as it is after a write.
func (a *app) showPartition(topic string, partition int32) shower {
	return func(ctx context.Context, from metalog.Reader, _ metalog.Result) error {
		p, err := from.GetPartition(ctx, topic, partition)
		if err != nil {
			return err
		}
		return a.printObject(p)
	}
}
