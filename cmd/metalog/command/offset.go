package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (a *app) offsetCommand() *cobra.Command {
	return a.noun("offset", "Offsets of consumer groups",
		a.offsetCommit(), a.offsetList(), a.offsetListTopic(), a.offsetDescribe(),
		a.offsetReset(), a.offsetDelete(), a.offsetExpire())
}

func (a *app) offsetCommit() *cobra.Command {
	var (
		c metalog.CommitOffsets
		o metalog.OffsetCommit
	)
	cmd := &cobra.Command{
		Use:               "commit GROUP TOPIC PARTITION OFFSET",
		Short:             "Commit a group's offset in a partition",
		Example:           "  metalog offset commit billing orders 0 1234 --metadata 'batch 7'",
		Args:              cobra.ExactArgs(4),
		ValidArgsFunction: a.completeGroup,
		RunE: a.run(func(ctx context.Context, args []string) (err error) {
			c.Group, o.Topic = args[0], args[1]
			if o.Partition, err = int32Arg("PARTITION", args[2]); err != nil {
				return err
			}
			if o.Offset, err = int64Arg("OFFSET", args[3]); err != nil {
				return err
			}
			c.Offsets = []metalog.OffsetCommit{o}
			return a.write(ctx, c, a.showOffset(c.Group, o.Topic, o.Partition))
		}),
	}
	f := cmd.Flags()
	f.Var(optionalInt32(&o.LeaderEpoch), "leader-epoch", "leader epoch of the last record read")
	f.StringVar(&o.Metadata, "metadata", "", "free text")
	f.Var(uuidFlag{&o.TopicID}, "topic-id", "only if the topic has this id")
	f.Var(optionalInt32(&c.Generation), "generation", "generation of the member that commits")
	f.StringVar(&c.MemberID, "member-id", "", "member that commits")
	return cmd
}

func (a *app) offsetList() *cobra.Command {
	return &cobra.Command{
		Use:               "list GROUP",
		Short:             "List a group's offsets",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeGroup,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.readViews(ctx, func(from metalog.Reader) error {
				return printList(a, "offsets", from.ListOffsets(ctx, args[0]), offsetColumns...)
			})
		}),
	}
}

func (a *app) offsetListTopic() *cobra.Command {
	return &cobra.Command{
		Use:               "list-topic TOPIC",
		Short:             "List what all groups have committed for a topic",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeTopic,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.readViews(ctx, func(from metalog.Reader) error {
				return printList(a, "offsets", from.ListTopicOffsets(ctx, args[0]), offsetColumns...)
			})
		}),
	}
}

var offsetColumns = []column[events.Offset]{
	{"GROUP", func(o events.Offset) any { return o.Group }},
	{"TOPIC", func(o events.Offset) any { return o.Topic }},
	{"PARTITION", func(o events.Offset) any { return o.Partition }},
	{"OFFSET", func(o events.Offset) any { return o.Offset }},
	{"EPOCH", func(o events.Offset) any { return o.LeaderEpoch }},
	{"COMMITTED", func(o events.Offset) any { return o.CommittedAt }},
	{"REVISION", func(o events.Offset) any { return o.Revision }},
	{"METADATA", func(o events.Offset) any { return o.Metadata }},
}

func (a *app) offsetDescribe() *cobra.Command {
	return &cobra.Command{
		Use:               "describe GROUP TOPIC PARTITION",
		Short:             "Show a group's offset in a partition",
		Args:              cobra.ExactArgs(3),
		ValidArgsFunction: a.completeGroup,
		RunE: a.run(func(ctx context.Context, args []string) error {
			partition, err := int32Arg("PARTITION", args[2])
			if err != nil {
				return err
			}
			return a.show(ctx, a.showOffset(args[0], args[1], partition))
		}),
	}
}

func (a *app) offsetReset() *cobra.Command {
	c := metalog.ResetOffsets{}
	cmd := &cobra.Command{
		Use:   "reset GROUP --topic TOPIC",
		Short: "Move a group without members to other offsets",
		Long: `Move a group without members to other offsets in a topic. The new offset is kept
between the partition's log start offset and its high watermark, if it has them.`,
		Example: "  metalog offset reset billing --topic orders --to-earliest --dry-run\n" +
			"  metalog offset reset billing --topic orders --partitions 0,1 --shift-by -100",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeGroup,
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.Group = args[0]
			return a.write(ctx, c, a.showOffsets(c.Group))
		}),
	}
	f := cmd.Flags()
	f.StringVar(&c.Topic, "topic", "", "topic")
	f.Int32SliceVar(&c.Partitions, "partitions", nil, "only these partitions (default: all)")
	f.Var(optionalInt64(&c.ToOffset), "to-offset", "this offset")
	f.BoolVar(&c.ToEarliest, "to-earliest", false, "the log start offset")
	f.BoolVar(&c.ToLatest, "to-latest", false, "the high watermark")
	f.Var(optionalInt64(&c.ShiftBy), "shift-by", "so many forward, or back if negative")
	a.dryRunFlag(cmd)
	require(cmd, "topic")
	cmd.MarkFlagsOneRequired("to-offset", "to-earliest", "to-latest", "shift-by")
	cmd.MarkFlagsMutuallyExclusive("to-offset", "to-earliest", "to-latest", "shift-by")
	return cmd
}

func (a *app) offsetDelete() *cobra.Command {
	c := metalog.DeleteOffsets{}
	cmd := &cobra.Command{
		Use:               "delete GROUP TOPIC",
		Short:             "Delete a group's offsets in a topic",
		Example:           "  metalog offset delete billing orders --partition 0",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeGroup,
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.Group, c.Topic = args[0], args[1]
			return a.write(ctx, c, a.showDone(fmt.Sprintf("deleted offsets of group %s in topic %s", c.Group, c.Topic)))
		}),
	}
	cmd.Flags().Var(optionalInt32(&c.Partition), "partition", "only this partition (default: all)")
	a.dryRunFlag(cmd)
	return cmd
}

func (a *app) offsetExpire() *cobra.Command {
	c := metalog.ExpireOffsets{}
	cmd := &cobra.Command{
		Use:               "expire GROUP --before TIME",
		Short:             "Expire the old offsets of a group without members",
		Example:           "  metalog offset expire billing --before 2026-01-31T00:00:00Z",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeGroup,
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.Group = args[0]
			return a.write(ctx, c, a.showDone("expired offsets of group "+c.Group))
		}),
	}
	cmd.Flags().Var(moment{&c.Before}, "before", "those committed before this time, RFC 3339")
	a.dryRunFlag(cmd)
	require(cmd, "before")
	return cmd
}

// showOffset prints an offset as it is after a write.
func (a *app) showOffset(group, topic string, partition int32) shower {
	return func(ctx context.Context, from metalog.Reader, _ metalog.Result) error {
		offset, err := from.GetOffset(ctx, group, topic, partition)
		if err != nil {
			return err
		}
		return a.printObject(offset)
	}
}

// showOffsets prints a group's offsets as they are after a write.
func (a *app) showOffsets(group string) shower {
	return func(ctx context.Context, from metalog.Reader, _ metalog.Result) error {
		return printList(a, "offsets", from.ListOffsets(ctx, group), offsetColumns...)
	}
}
