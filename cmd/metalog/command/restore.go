package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog/replay"
)

func (a *app) restoreCommand() *cobra.Command {
	var opts replay.RestoreOptions
	cmd := &cobra.Command{
		Use:   "restore DIR",
		Short: "Make a data directory from a backup",
		Long: `Make the data directory (--data), which must be empty or not there, from a backup in
DIR. Each file and each record is checked; the log appears when all of it is there and
durable. --dry-run only checks the backup's files.`,
		Example: "  metalog restore /backup/metalog --dry-run\n  metalog --data ./restored restore /backup/metalog",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			if err := a.offline("restore"); err != nil {
				return err
			}
			meter := a.meter("bytes")
			opts.Progress = func(done, total int64) { meter.show(reached{"", done, done, total}) }
			report, err := replay.Restore(ctx, args[0], a.data, opts)
			meter.end()
			if err != nil {
				return err
			}
			return a.printObject(report)
		}),
	}
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "check the backup's files, and write nothing")
	return cmd
}
