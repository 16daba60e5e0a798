package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog/replay"
)

func (a *app) logCommand() *cobra.Command {
	return a.noun("log", "The log as files", a.logRepair())
}

func (a *app) logRepair() *cobra.Command {
	var opts replay.RepairOptions
	cmd := &cobra.Command{
		Use:   "repair [--write OUT]",
		Short: "Show what a damaged log has lost, and make a new one from the rest",
		Long: `Find the first damage in the log, and show what stands before it and what would be
lost. Nothing is changed.

With --write OUT, make a new data directory from the records before the damage, with one
more that begins a new epoch and tells where the old one ended: replicas and subscribers
that were ahead of that are told. Records that only the archive has are taken from there
before that: a log that was restored from a backup older than its archive gets them back.
The damaged directory stays as it is. If there is a backup, restore that instead: it may
have more.`,
		Example: "  metalog log repair\n  metalog --data ./damaged log repair --write ./repaired",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if err := a.offline("log repair"); err != nil {
				return err
			}
			meter := a.meter("records")
			opts.Progress = func(checked uint64) { meter.show(reached{step: "check", count: int64(checked)}) }
			opts.Actor = a.options().Actor
			report, err := replay.Repair(ctx, a.data, opts)
			meter.end()
			if err != nil {
				return err
			}
			if a.format != formatTable {
				return a.printValue(report)
			}
			return a.printRepair(report)
		}),
	}
	cmd.Flags().StringVar(&opts.Archive, "archive", "", "where the archive is, if not where the log says: "+archiveTo)
	cmd.Flags().StringVar(&opts.Out, "write", "", "`directory` to make the repaired store in, empty or not there")
	return cmd
}

// printRepair prints a report for people.
func (a *app) printRepair(r replay.RepairReport) error {
	table := tabwriter.NewWriter(a.out, 0, 0, columnGap, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("log", "%s, epoch %d", r.LogID, r.Epoch)
	if r.Archive != "" {
		row("archive", "%s has what is before seq %d", cellText(r.Archive), r.FirstSeq)
	}
	if r.ArchiveError != "" {
		row("not asked", "%s", cellText(r.ArchiveError))
	}
	row("good up to", "seq %d, %s", r.Kept.Seq, r.KeptAt)
	row("hash", "%s", r.Kept.Hash)
	if d := r.Damage; d != nil {
		row("damage", "segment %s, seq %d, byte %d: %s", d.Segment, d.Seq, d.Byte, d.Reason)
		if d.Unfinished {
			row("", "this may be an unfinished write: opening the store repairs that by itself, if it can")
		}
	}
	if ahead := r.Ahead; ahead != nil && ahead.LastSeq > 0 {
		row("from the archive", "seqs %d to %d, which the log lacks", ahead.FirstSeq, ahead.LastSeq)
	}
	if ahead := r.Ahead; ahead != nil && ahead.Unfit > 0 {
		row("unfit", "the archive has records up to seq %d that are damaged or don't follow the log; they are left out", ahead.Unfit)
	}
	if r.Durable > r.Kept.Seq {
		row("missing", "views or a snapshot have seq %d", r.Durable)
	}
	if r.Lost.FirstSeq > 0 {
		row("lost", "seqs %d to %d at least, %d bytes, %s can still be read", r.Lost.FirstSeq, r.Lost.LastSeq, r.Lost.Bytes, plural(r.Lost.Readable, "record"))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Lost.Events)) {
		row("", "%d %s", r.Lost.Events[name], name)
	}
	switch {
	case r.Head != nil:
		row("written", "%s, epoch %d, head %s", cellText(r.Out), r.Epoch+1, r.Head)
	case r.Needed():
		row("written", "nothing; use --write to make a new directory from what is good")
	default:
		row("written", "nothing; the log needs no repair")
	}
	return table.Flush()
}
