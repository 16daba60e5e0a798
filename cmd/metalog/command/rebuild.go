package command

import (
	"context"
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
)

func (a *app) rebuildCommand() *cobra.Command {
	var order metalog.RebuildOrder
	cmd := &cobra.Command{
		Use:   "rebuild --out FILE [--to SEQ|TIME]",
		Short: "Make the views as they were at a point, in a new file",
		Long: `Make a file of the views as they were at a point of the log, from the nearest snapshot
and the records after it. The digests that the log notes are checked on the way. What the
store has is not changed; FILE lies elsewhere.

FILE appears when it is whole and on disk. Until then it is FILE.partial; after an
interruption the same command goes on from there. A file that is there is only replaced
with --force, and only if it holds views.

--to takes a seq, "now", a time in RFC 3339, a time ago such as -2h or -3d, or a day and a
time such as 'yesterday 14:00'. With --server, the server does it, and FILE is an absolute
path on its machine.`,
		Example: `  metalog rebuild --out views-now.db
  metalog rebuild --to 1200 --out views-1200.db -o json
  metalog rebuild --to 'yesterday 14:00' --out before.db
  metalog --server nats://127.0.0.1:4222 rebuild --to -2h --out /backup/views.db`,
		Args: cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if a.serverURL() != "" && !filepath.IsAbs(order.Out) {
				return usagef("--out: %q is not absolute; with --server it is a file on the server's machine", order.Out)
			}
			return a.rebuild(ctx, order)
		}),
	}
	f := cmd.Flags()
	f.Var(point{&order.To}, "to", "the `point` whose views to make: a seq or a time (default now)")
	f.StringVar(&order.Out, "out", "", "the `file` to make")
	f.BoolVar(&order.Force, "force", false, "replace a file of views that is there, and an unfinished one of another rebuild")
	require(cmd, "out")
	completeFlag(cmd, "to", completePoint)
	return cmd
}

func (a *app) rebuild(ctx context.Context, order metalog.RebuildOrder) error {
	return a.read(ctx, func(store fullStore) error {
		meter := a.meter("records")
		order.Progress = func(p metalog.RebuildProgress) { meter.show(reachedBy(p)) }
		report, err := store.Rebuild(ctx, order)
		meter.end()
		if err != nil {
			return err
		}
		if a.format != formatTable {
			return a.printValue(report)
		}
		return a.printRebuilt(report)
	})
}

// reachedBy is how far records are applied.
func reachedBy(p metalog.RebuildProgress) reached {
	done := int64(p.Seq - p.From)
	return reached{"rebuild", done, done, int64(p.To - p.From)}
}

// printRebuilt prints a report for people.
func (a *app) printRebuilt(r metalog.RebuildReport) error {
	table := tabwriter.NewWriter(a.out, 0, 0, columnGap, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("file", "%s, %d bytes", cellText(r.Path), r.SizeBytes)
	row("views", "of seq %d, %s", r.Seq, r.Time)
	row("hash", "%s", r.Hash)
	row("digest", "%s", r.Digest)
	row("rows", "%d, from %s", r.Rows, plural(r.Events, "event"))
	switch {
	case r.ResumedFrom > 0:
		row("made from", "what an interrupted run left at seq %d, and %s", r.ResumedFrom, plural(r.AppliedRecords, "record"))
	case r.FromSnapshot > 0:
		row("made from", "the snapshot of seq %d, and %s", r.FromSnapshot, plural(r.AppliedRecords, "record"))
	default:
		row("made from", "all %s", plural(r.AppliedRecords, "record"))
	}
	row("took", "%s, %.0f events/s", seconds(r.Seconds), r.EventsPerSecond)
	return table.Flush()
}
