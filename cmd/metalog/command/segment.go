package command

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (a *app) segmentCommand() *cobra.Command {
	return a.noun("segment", "Segments of partitions",
		a.segmentAdd(), a.segmentList(), a.segmentDescribe(), a.segmentFind(), a.segmentCompact(), a.segmentDelete())
}

func (a *app) segmentAdd() *cobra.Command {
	c := metalog.AddSegment{}
	cmd := &cobra.Command{
		Use:     "add",
		Short:   "Add a segment to a partition",
		Example: "  metalog segment add --topic orders --partition 0 --id 00000000 --start-offset 0 --end-offset 999 --size-bytes 1048576 --record-count 1000 --path s3://bucket/orders/0/00000000",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.write(ctx, c, a.showSegment(c.Topic, c.ID))
		}),
	}
	f := cmd.Flags()
	f.StringVar(&c.Topic, "topic", "", "topic")
	f.Int32Var(&c.Partition, "partition", 0, "partition")
	f.StringVar(&c.ID, "id", "", "id, unique in its topic")
	f.StringVar((*string)(&c.Kind), "kind", string(events.SegmentLog), "log, index or columnar")
	f.Int64Var(&c.StartOffset, "start-offset", 0, "first offset in it")
	f.Int64Var(&c.EndOffset, "end-offset", 0, "last offset in it")
	f.Int64Var(&c.SizeBytes, "size-bytes", 0, "size")
	f.Int64Var(&c.RecordCount, "record-count", 0, "number of records")
	f.StringVar(&c.Path, "path", "", "where it is stored")
	f.StringVar(&c.Checksum, "checksum", "", "checksum, as the segment's writer gives it")
	f.Var(moment{&c.MinTimestamp}, "min-timestamp", "time of its first record, RFC 3339")
	f.Var(moment{&c.MaxTimestamp}, "max-timestamp", "time of its last record, RFC 3339")
	f.Var(pairs{&c.Attributes}, "attributes", "free attribute `KEY=VALUE`, repeatable")
	require(cmd, "topic", "partition", "id", "start-offset", "end-offset")
	return cmd
}

func (a *app) segmentList() *cobra.Command {
	partition := metalog.AllPartitions
	cmd := &cobra.Command{
		Use:               "list TOPIC",
		Short:             "List a topic's segments, or those of one partition",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeTopic,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.readViews(ctx, func(from metalog.Reader) error {
				return printList(a, "segments", from.ListSegments(ctx, args[0], partition), segmentColumns...)
			})
		}),
	}
	cmd.Flags().Int32Var(&partition, "partition", metalog.AllPartitions, "only this partition (-1: all)")
	return cmd
}

var segmentColumns = []column[events.Segment]{
	{"PARTITION", func(s events.Segment) any { return s.Partition }},
	{"ID", func(s events.Segment) any { return s.ID }},
	{"KIND", func(s events.Segment) any { return s.Kind }},
	{"START", func(s events.Segment) any { return s.StartOffset }},
	{"END", func(s events.Segment) any { return s.EndOffset }},
	{"BYTES", func(s events.Segment) any { return s.SizeBytes }},
	{"RECORDS", func(s events.Segment) any { return s.RecordCount }},
	{"REVISION", func(s events.Segment) any { return s.Revision }},
	{"PATH", func(s events.Segment) any { return s.Path }},
}

func (a *app) segmentDescribe() *cobra.Command {
	return &cobra.Command{
		Use:               "describe TOPIC ID",
		Short:             "Show a segment",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeTopic,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.show(ctx, a.showSegment(args[0], args[1]))
		}),
	}
}

func (a *app) segmentFind() *cobra.Command {
	return &cobra.Command{
		Use:               "find TOPIC PARTITION OFFSET",
		Short:             "Show the log segment that holds an offset",
		Example:           "  metalog segment find orders 0 1234",
		Args:              cobra.ExactArgs(3),
		ValidArgsFunction: a.completeTopic,
		RunE: a.run(func(ctx context.Context, args []string) error {
			partition, err := int32Arg("PARTITION", args[1])
			if err != nil {
				return err
			}
			offset, err := int64Arg("OFFSET", args[2])
			if err != nil {
				return err
			}
			return a.readViews(ctx, func(from metalog.Reader) error {
				segment, err := from.FindSegment(ctx, args[0], partition, offset)
				if err != nil {
					return err
				}
				return a.printObject(segment)
			})
		}),
	}
}

func (a *app) segmentCompact() *cobra.Command {
	var (
		c     metalog.CompactSegments
		added []string
	)
	cmd := &cobra.Command{
		Use:               "compact TOPIC PARTITION",
		Short:             "Replace segments by others, at once",
		Example:           `  metalog segment compact orders 0 --removed a --removed b --added '{"id":"ab","start_offset":0,"end_offset":1999}'`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeTopic,
		RunE: a.run(func(ctx context.Context, args []string) (err error) {
			c.Topic = args[0]
			if c.Partition, err = int32Arg("PARTITION", args[1]); err != nil {
				return err
			}
			if c.Added, err = parseSegments(added); err != nil {
				return err
			}
			return a.write(ctx, c, a.showDone(fmt.Sprintf("replaced %d segments by %d", len(c.Removed), len(c.Added))))
		}),
	}
	f := cmd.Flags()
	f.StringArrayVar(&c.Removed, "removed", nil, "`id` of a segment that is replaced, repeatable")
	f.StringArrayVar(&added, "added", nil, "segment that takes their place, as `JSON` with the fields of an apply line, repeatable")
	a.dryRunFlag(cmd)
	require(cmd, "removed")
	return cmd
}

func parseSegments(texts []string) ([]metalog.SegmentInfo, error) {
	segments := make([]metalog.SegmentInfo, len(texts))
	for i, text := range texts {
		if err := json.Unmarshal([]byte(text), &segments[i]); err != nil {
			return nil, usagef("--added: %q: %w", text, err)
		}
	}
	return segments, nil
}

func (a *app) segmentDelete() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "delete TOPIC ID",
		Short:             "Remove a segment",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: a.completeTopic,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.write(ctx, metalog.DeleteSegment{Topic: args[0], ID: args[1]}, a.showDone("deleted segment "+args[1]))
		}),
	}
	a.dryRunFlag(cmd)
	return cmd
}

// showSegment prints a segment as it is after a write.
func (a *app) showSegment(topic, id string) shower {
	return func(ctx context.Context, from metalog.Reader, _ metalog.Result) error {
		segment, err := from.GetSegment(ctx, topic, id)
		if err != nil {
			return err
		}
		return a.printObject(segment)
	}
}
