package command

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (a *app) topicCommand() *cobra.Command {
	return a.noun("topic", "Topics",
		a.topicCreate(), a.topicList(), a.topicDescribe(), a.topicUpdate(), a.topicAddPartitions(), a.topicDelete())
}

func (a *app) topicCreate() *cobra.Command {
	c := metalog.CreateTopic{}
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Create a topic",
		Example: "  metalog topic create orders --partitions 6 --replication-factor 3 --config cleanup.policy=compact",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.Name = args[0]
			return a.write(ctx, c, a.showTopic(c.Name))
		}),
	}
	f := cmd.Flags()
	f.Int32Var(&c.Partitions, "partitions", 1, "number of partitions")
	f.Int32Var(&c.ReplicationFactor, "replication-factor", 1, "replicas of each partition")
	f.Var(pairs{&c.Config}, "config", "config `KEY=VALUE`, repeatable")
	f.Var(assignments{&c.Assignments}, "replicas", "brokers of the next partition, such as 1,2,3: give it once for each partition or not at all")
	return cmd
}

func (a *app) topicList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all topics",
		Args:  cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.readViews(ctx, func(from metalog.Reader) error {
				return printList(a, "topics", from.ListTopics(ctx), topicColumns...)
			})
		}),
	}
}

var topicColumns = []column[events.Topic]{
	{"NAME", func(t events.Topic) any { return t.Name }},
	{"PARTITIONS", func(t events.Topic) any { return t.Partitions }},
	{"REPLICATION", func(t events.Topic) any { return t.ReplicationFactor }},
	{"REVISION", func(t events.Topic) any { return t.Revision }},
	{"CONFIG", func(t events.Topic) any { return t.Config }},
}

func (a *app) topicDescribe() *cobra.Command {
	return &cobra.Command{
		Use:               "describe NAME",
		Short:             "Show a topic",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeTopic,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.show(ctx, a.showTopic(args[0]))
		}),
	}
}

func (a *app) topicUpdate() *cobra.Command {
	var (
		c           metalog.UpdateTopic
		config      events.Config
		clearConfig bool
	)
	cmd := &cobra.Command{
		Use:   "update NAME",
		Short: "Change a topic's replication factor, or its config as a whole",
		Long: `Change a topic's replication factor, or its config as a whole: the keys that are
given are all that it has then. 'metalog config set' changes single keys.`,
		Example:           "  metalog topic update orders --config retention.ms=3600000 --if-revision 12",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeTopic,
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.Name = args[0]
			if config != nil || clearConfig {
				c.Config = &config
			}
			return a.write(ctx, c, a.showTopic(c.Name))
		}),
	}
	f := cmd.Flags()
	f.Var(optionalInt32(&c.ReplicationFactor), "replication-factor", "replicas of each partition")
	f.Var(pairs{&config}, "config", "config `KEY=VALUE`, repeatable: the whole config")
	f.BoolVar(&clearConfig, "clear-config", false, "leave no config")
	cmd.MarkFlagsOneRequired("replication-factor", "config", "clear-config")
	cmd.MarkFlagsMutuallyExclusive("config", "clear-config")
	return cmd
}

func (a *app) topicAddPartitions() *cobra.Command {
	c := metalog.AddPartitions{}
	cmd := &cobra.Command{
		Use:               "add-partitions NAME --total N",
		Short:             "Raise a topic's number of partitions",
		Example:           "  metalog topic add-partitions orders --total 12",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeTopic,
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.Name = args[0]
			return a.write(ctx, c, a.showTopic(c.Name))
		}),
	}
	f := cmd.Flags()
	f.Int32Var(&c.Total, "total", 0, "number of partitions that it has then")
	f.Var(assignments{&c.Assignments}, "replicas", "brokers of the next new partition, such as 1,2,3: give it once for each or not at all")
	require(cmd, "total")
	return cmd
}

func (a *app) topicDelete() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a topic with all below it",
		Long: `Delete a topic with its segments, assignments, watermarks, config, the offsets of
every group, and its partitions in open transactions. Groups stay.`,
		Example:           "  metalog topic delete orders --dry-run",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeTopic,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.write(ctx, metalog.DeleteTopic{Name: args[0]}, a.showDone("deleted topic "+args[0]))
		}),
	}
	a.dryRunFlag(cmd)
	return cmd
}

// showTopic prints a topic as it is after a write.
func (a *app) showTopic(name string) shower {
	return func(ctx context.Context, from metalog.Reader, _ metalog.Result) error {
		topic, err := from.GetTopic(ctx, name)
		if err != nil {
			return err
		}
		return a.printObject(topic)
	}
}

// assignments is a repeatable flag: the replicas of one partition after the
// other.
type assignments struct{ list *[]metalog.TopicAssignment }

var _ pflag.Value = assignments{}

func (l assignments) Set(s string) error {
	ids, err := parseBrokers(s)
	*l.list = append(*l.list, metalog.TopicAssignment{Replicas: ids})
	return err
}

func (l assignments) String() string { return "" }
func (l assignments) Type() string   { return "ids" }
