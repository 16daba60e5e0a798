package command

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the log and a snapshot to a directory",
		Long: `Copy the log up to its last record, and the newest snapshot, to a directory that is
empty or holds an earlier backup of this log. What that has already is checked and not
copied again; it stays restorable until the new backup is complete. A server goes on
meanwhile; with --server, DIR is an absolute path on the server's machine. Records that
were moved to the archive are not part of it: copy the archive as well.`,
		Example: "  metalog backup /backup/metalog\n  metalog --server nats://127.0.0.1:4222 backup /backup/metalog",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			if a.serverURL() != "" && !filepath.IsAbs(args[0]) {
				return usagef("DIR: %q is not absolute; with --server it is a directory on the server's machine", args[0])
			}
			return a.read(ctx, func(store fullStore) error {
				report, err := store.Backup(ctx, args[0])
				if err != nil {
					return err
				}
				return a.printObject(report)
			})
		}),
	}
}
