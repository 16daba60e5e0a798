package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
)

func (a *app) verifyCommand() *cobra.Command {
	var (
		opts              replay.VerifyOptions
		signed, publicKey string
	)
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that nothing was lost or altered",
		Long: `Check the log record by record (checksums, chain of hashes, seqs, times, encoding),
the views and snapshots against their digests and against the log. Nothing is
changed. Log and archive are checked as one. --deep also makes the views anew from the log and compares them row by row.

Who can write the directory can make it consistent in itself. A head that was noted
elsewhere, with 'metalog info' or 'metalog head sign', finds that: --expect, --signed.

When a server has the directory, the log and the newest snapshot are checked; with
--server, the server checks its views too. Exit status 3 tells that something was found.`,
		Example: `  metalog verify --deep
  metalog verify --expect 1042:$(cat noted-hash)
  metalog verify --signed head.txt --public-key head.pub
  metalog --server nats://127.0.0.1:4222 verify -o json`,
		Args: cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if signed != "" {
				if err := expectSigned(&opts, signed, publicKey); err != nil {
					return err
				}
			}
			return a.verify(ctx, opts)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&opts.Deep, "deep", false, "compare the views with a rebuild from the log")
	f.StringVar(&opts.Archive, "archive", "", "where the archive is, if not where the log says: "+archiveTo)
	f.Var(heads{&opts.Expect}, "expect", "a `head` that was noted earlier, SEQ:HASH, repeatable")
	f.StringVar(&signed, "signed", "", "`file` with a signed head that the log must have")
	f.StringVar(&publicKey, "public-key", "", "`file` with the key that signed it")
	cmd.MarkFlagsRequiredTogether("signed", "public-key")
	return cmd
}

// heads is a repeatable SEQ:HASH flag.
type heads struct{ list *[]events.Head }

func (h heads) Set(s string) error {
	head, err := events.ParseHead(s)
	if err != nil {
		return errors.New(err.Error()) // of the command line, not of the store
	}
	*h.list = append(*h.list, head)
	return nil
}

func (h heads) String() string { return "" }
func (h heads) Type() string   { return "head" }

// expectSigned has a verification expect what a signed head vouches for.
func expectSigned(opts *replay.VerifyOptions, signedFile, keyFile string) error {
	signed, err := os.ReadFile(signedFile)
	if err != nil {
		return usageError{err}
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return usageError{err}
	}
	head, err := replay.OpenSignedHead(signed, string(key))
	if err != nil {
		return err
	}
	opts.Expect = append(opts.Expect, head.Head)
	opts.LogID = head.LogID
	return nil
}

// verify prints the report, and returns an error when it has findings.
func (a *app) verify(ctx context.Context, opts replay.VerifyOptions) error {
	report, err := a.verification(ctx, opts)
	if err != nil {
		return err
	}
	if a.format == formatTable {
		err = a.printReport(report)
	} else {
		err = a.printValue(report)
	}
	return errors.Join(err, report.Err())
}

// verification verifies what the global flags name.
func (a *app) verification(ctx context.Context, opts replay.VerifyOptions) (replay.VerifyReport, error) {
	if server := a.serverURL(); server != "" {
		c, err := a.connect(ctx, server)
		if err != nil {
			return replay.VerifyReport{}, err
		}
		report, err := c.Verify(ctx, opts)
		return report, errors.Join(err, c.Close())
	}
	meter := a.meter("records")
	defer meter.end()
	opts.Progress = func(p replay.VerifyProgress) {
		meter.show(reached{p.Step, int64(p.Records), p.Done, p.Total})
	}
	return replay.Verify(ctx, a.data, opts)
}

// printReport prints a report for people.
func (a *app) printReport(r replay.VerifyReport) error {
	table := tabwriter.NewWriter(a.out, 0, 0, columnGap, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("directory", "%s", cellText(r.Path))
	if r.HeldBy != "" {
		row("held by", "%s", cellText(r.HeldBy))
	}
	row("log", "%s, epoch %d", r.LogID, r.Epoch)
	row("records", "%d, from seq %d", r.Records, r.FirstSeq)
	row("events", "%d", r.Events)
	row("segments", "%d, %d bytes of records", r.Segments, r.Bytes)
	if r.Archive != nil {
		row("archive", "%d of them in %s", r.Archive.Files, cellText(r.Archive.Location))
	}
	row("head", "%s", r.Head)
	if r.Views != nil {
		row("views", "%d rows at seq %d, digest %s", r.Views.Rows, r.Views.Seq, r.Views.Digest)
	}
	row("snapshots", "%d", r.Snapshots)
	row("rebuild", "%s", map[bool]string{true: "compared", false: "not asked for, or not possible"}[r.Deep])
	for _, what := range r.NotChecked {
		row("not checked", "%s", cellText(what))
	}
	row("took", "%s, %.0f records/s", seconds(r.Seconds), r.RecordsPerSecond)
	row("findings", "%d", uint64(len(r.Findings))+r.MoreFindings)
	if err := table.Flush(); err != nil || len(r.Findings) == 0 {
		return err
	}
	fmt.Fprintln(a.out)
	return printTable(a.out, r.Findings, findingColumns)
}

var findingColumns = []column[replay.Finding]{
	{"KIND", func(f replay.Finding) any { return f.Kind }},
	{"SEGMENT", func(f replay.Finding) any { return placed(f, func(p replay.Place) any { return p.Segment }) }},
	{"SEQ", func(f replay.Finding) any { return placed(f, func(p replay.Place) any { return p.Seq }) }},
	{"BYTE", func(f replay.Finding) any { return placed(f, func(p replay.Place) any { return p.Byte }) }},
	{"MESSAGE", func(f replay.Finding) any { return f.Message }},
}

// placed is a cell about the place of a finding, which not every one has.
func placed(f replay.Finding, cell func(replay.Place) any) any {
	if f.Place == nil {
		return "-"
	}
	return cell(*f.Place)
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}
