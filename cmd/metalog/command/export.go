package command

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
)

func (a *app) exportCommand() *cobra.Command {
	var (
		file  string
		force bool
	)
	cmd := &cobra.Command{
		Use:   "export [-f FILE]",
		Short: "Write all that is there as commands that bring it about",
		Long: `Write what is there now, or was there at the point of --at, as commands, one JSON
object a line, that 'metalog apply' does in an empty store. A file is complete and on
disk when it has its name, and only its owner can read it.

What commands can't bring back: ids, revisions and times; the epochs of brokers and the
partition epochs of partitions, which begin anew; the leader epoch that a high watermark
was reached under; and command ids that were used before. An open transaction's timeout
and the retention of offsets begin when the export is applied. Leaders and replicas in
sync, leader epochs, watermarks, members and generations of groups, pending offsets and
fenced producers are kept.`,
		Example: `  metalog export -f catalogue.jsonl
  metalog export --at 'yesterday 14:00' | metalog --data ./other apply -f -`,
		Args: cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.export(ctx, file, force)
		}),
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "-", "new `file` for the commands; - is standard output")
	f.BoolVar(&force, "force", false, "replace a file that is there")
	return cmd
}

func (a *app) export(ctx context.Context, file string, force bool) error {
	if file == "-" {
		return a.exportTo(ctx, a.out, false)
	}
	if _, err := os.Lstat(file); err == nil && !force {
		return events.Errorf(events.CodeAlreadyExists, "%s: the file exists; name a new one, or replace it with --force", file)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return usageError{err}
	}
	return durable.Replace(file, func(w io.Writer) error { return a.exportTo(ctx, w, true) })
}

// exportTo exports one state, whatever is changed meanwhile. With tell it says what
// it exported.
func (a *app) exportTo(ctx context.Context, w io.Writer, tell bool) error {
	return a.read(ctx, func(store fullStore) error {
		at := a.at
		if at.IsNow() {
			info, err := store.Info(ctx)
			if err != nil {
				return err
			}
			at.Seq = info.Seq
		}
		view, err := store.At(ctx, at)
		if err != nil {
			return err
		}
		report, err := metalog.Export(ctx, view, w)
		if err = errors.Join(err, view.Close()); err != nil {
			return err
		}
		return a.sayExported(report, tell)
	})
}

func (a *app) sayExported(r metalog.ExportReport, tell bool) error {
	if r.LeftOut > 0 {
		a.complain("%d commands would be too long for a line and were left out; comments in the export name them", r.LeftOut)
	}
	if !tell {
		return nil
	}
	return a.say(r, "exported %d commands: log %s at seq %d, %s", r.Commands, r.LogID, r.Seq, r.Time)
}
