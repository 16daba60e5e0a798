package command

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/metalog/metalog"
)

// archiveTo is the location of an archive, as flags tell it.
const archiveTo = "`location` of the archive: a directory, or s3://BUCKET/PREFIX?endpoint=URL&region=NAME"

func (a *app) archiveCommand() *cobra.Command {
	var opts metalog.ArchiveOptions
	cmd := &cobra.Command{
		Use:   "archive",
		Short: "Move old segments of the log to the archive, compressed",
		Long: `Move the oldest segments of the log to the archive: a directory, or a bucket of an
S3-compatible store. Each is compressed, read back from there and compared to the byte;
then the log is shortened. All commands read log and archive as one.

A segment stays while a flag keeps it. The last one always stays, and so does what
follows the second newest snapshot, and what a server did not publish yet. The log knows
where its archive is; --to is for the first time, and for one that was copied elsewhere.

Credentials of S3 come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials
or the machine's role. With --server it is the server's, and LOCATION is as the server
sees it.`,
		Example: `  metalog archive --to /backup/archive --older-than 30d --dry-run
  metalog archive --to 's3://metadata/prod?endpoint=https://minio.example.org' --keep-bytes 1GiB
  metalog archive list
  metalog archive prune --before-snapshot 250000 --dry-run`,
		Args: cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if a.serverURL() != "" && opts.To != "" && !strings.Contains(opts.To, "://") && !filepath.IsAbs(opts.To) {
				return usagef("--to %s is not absolute; with --server it is a directory on the server's machine", opts.To)
			}
			return a.archive(ctx, opts)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&opts.To, "to", "", archiveTo)
	policyFlags(f, &opts.ArchivePolicy, "")
	f.BoolVar(&opts.DryRun, "dry-run", false, "show what would be moved, and move nothing")
	cmd.AddCommand(a.archiveList(), a.archivePrune())
	return cmd
}

// policyFlags are what keeps segments in the log; prefix begins their names.
func policyFlags(f *pflag.FlagSet, p *metalog.ArchivePolicy, prefix string) {
	f.Var(age{&p.OlderThan}, prefix+"older-than", "keep records in the log that are younger, such as 30d or 12h")
	f.Var(size{&p.KeepBytes}, prefix+"keep-bytes", "keep so much of the log, such as 1GiB")
	f.Uint64Var(&p.KeepRecords, prefix+"keep-records", 0, "keep the newest `N` records in the log")
}

func (a *app) archive(ctx context.Context, opts metalog.ArchiveOptions) error {
	meter := a.meter("bytes")
	opts.Progress = func(p metalog.ArchiveProgress) {
		meter.show(reached{count: p.Bytes, done: p.Bytes, total: p.AllBytes})
	}
	return a.read(ctx, func(store fullStore) error {
		report, err := store.Archive(ctx, opts)
		meter.end()
		if err != nil {
			return err
		}
		if a.format != formatTable {
			return a.printValue(report)
		}
		return a.printArchived(report)
	})
}

// printArchived prints a report for people.
func (a *app) printArchived(r metalog.ArchiveReport) error {
	if len(r.Segments) > 0 {
		columns := segmentsMoved
		if r.DryRun {
			columns = columns[:3]
		}
		if err := printTable(a.out, r.Segments, columns); err != nil {
			return err
		}
		fmt.Fprintln(a.out)
	}
	first, last, n := r.FirstSeq, r.FirstSeq, len(r.Segments)
	if n > 0 {
		first, last = r.Segments[0].FirstSeq, r.Segments[n-1].LastSeq
	}
	switch {
	case n == 0:
		fmt.Fprintln(a.out, "nothing to move")
	case r.DryRun:
		fmt.Fprintf(a.out, "would move seqs %d to %d, %s, to %s\n", first, last, sizeText(r.Bytes), locationText(r.Location))
	default:
		fmt.Fprintf(a.out, "moved seqs %d to %d to %s: %s of log, %s there (%.1f : 1), %s/s\n",
			first, last, locationText(r.Location), sizeText(r.Bytes), sizeText(r.FileBytes), r.Ratio, sizeText(int64(r.BytesPerSecond)))
		fmt.Fprintf(a.out, "the log begins with seq %d\n", r.FirstSeq)
	}
	_, err := fmt.Fprintln(a.out, cellText(r.Kept))
	return err
}

func locationText(location string) string {
	if location == "" {
		return "an archive (give --to LOCATION)"
	}
	return cellText(location)
}

var segmentsMoved = []column[metalog.ArchivedSegment]{
	{"FIRST", func(s metalog.ArchivedSegment) any { return s.FirstSeq }},
	{"LAST", func(s metalog.ArchivedSegment) any { return s.LastSeq }},
	{"BYTES", func(s metalog.ArchivedSegment) any { return s.Bytes }},
	{"ARCHIVED", func(s metalog.ArchivedSegment) any { return s.FileBytes }},
	{"RATIO", func(s metalog.ArchivedSegment) any { return fmt.Sprintf("%.1f", s.Ratio()) }},
}

func (a *app) archiveList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the archive's files, the oldest first",
		Example: "  metalog archive list\n  metalog archive list -o json",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.read(ctx, func(store fullStore) error {
				status, err := store.ListArchive(ctx)
				if err != nil {
					return err
				}
				if a.format != formatTable {
					return a.printValue(status)
				}
				return a.printArchive(status)
			})
		}),
	}
}

func (a *app) printArchive(s metalog.ArchiveStatus) error {
	if len(s.Segments) > 0 {
		if err := printTable(a.out, s.Segments, archiveColumns); err != nil {
			return err
		}
		fmt.Fprintln(a.out)
	}
	if s.Files == 0 {
		fmt.Fprintf(a.out, "%s: no files\n", cellText(s.Location))
	} else {
		fmt.Fprintf(a.out, "%s: %s with seqs %d to %d, %s of log in %s\n", cellText(s.Location), plural(s.Files, "file"), s.FirstSeq, s.LastSeq, sizeText(s.Bytes), sizeText(s.FileBytes))
	}
	if s.Base == nil {
		return nil
	}
	_, err := fmt.Fprintf(a.out, "pruned: records begin with seq %d, and states with snapshot %d\n", s.FirstSeq, s.Base.Seq)
	return err
}

var archiveColumns = []column[metalog.ArchiveFile]{
	{"FIRST", func(f metalog.ArchiveFile) any { return f.FirstSeq }},
	{"LAST", func(f metalog.ArchiveFile) any { return f.LastSeq }},
	{"FROM", func(f metalog.ArchiveFile) any { return f.FirstTime }},
	{"TO", func(f metalog.ArchiveFile) any { return f.LastTime }},
	{"BYTES", func(f metalog.ArchiveFile) any { return f.Bytes }},
	{"ARCHIVED", func(f metalog.ArchiveFile) any { return f.FileBytes }},
	{"RATIO", func(f metalog.ArchiveFile) any { return fmt.Sprintf("%.1f", f.Ratio()) }},
}

func (a *app) archivePrune() *cobra.Command {
	var opts metalog.PruneOptions
	cmd := &cobra.Command{
		Use:   "prune --before-snapshot SEQ",
		Short: "Destroy what the archive has from before a snapshot",
		Long: `Destroy, for good, the files of the archive that have nothing but records up to a
snapshot. The snapshot is copied to the archive first: states from its seq on can still be
read. Events, history and states of before can't, and reads of them say from where on they
can.

The views can't be made from the first record any more then. A metalog whose views have
another schema needs a snapshot of its own schema, or the records: keep a copy of what is
pruned until no upgrade may need it.`,
		Example: "  metalog snapshot list\n  metalog archive prune --before-snapshot 250000 --dry-run\n  metalog archive prune --before-snapshot 250000",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.read(ctx, func(store fullStore) error {
				report, err := store.PruneArchive(ctx, opts)
				if err != nil {
					return err
				}
				if a.format != formatTable {
					return a.printValue(report)
				}
				return a.printPruned(report)
			})
		}),
	}
	cmd.Flags().Uint64Var(&opts.BeforeSnapshot, "before-snapshot", 0, "`seq` of a snapshot")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "show what would go, and destroy nothing")
	require(cmd, "before-snapshot")
	completeFlag(cmd, "before-snapshot", a.completeSnapshot)
	return cmd
}

func (a *app) printPruned(r metalog.PruneReport) error {
	did := "destroyed"
	if r.DryRun {
		did = "would destroy"
	}
	n := len(r.Files)
	if n == 0 {
		_, err := fmt.Fprintf(a.out, "nothing to prune: no file of %s has only records up to that snapshot\n", cellText(r.Location))
		return err
	}
	if err := printTable(a.out, r.Files, segmentsMoved); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "\n%s seqs %d to %d, %s of %s, %s\nevents can be read from seq %d on, states from seq %d on\n"+
		"a metalog whose views have another schema can't make them from what is left: keep a copy until no upgrade may need it\n",
		did, r.Files[0].FirstSeq, r.Files[n-1].LastSeq, plural(n, "file"), cellText(r.Location), sizeText(r.FileBytes), r.FirstSeq, r.StateSeq)
	return err
}
