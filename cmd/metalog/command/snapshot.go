package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/replay"
)

// offline refuses a server: the command works on files that nobody else may have
// open.
func (a *app) offline(what string) error {
	if a.serverURL() != "" {
		return usagef("%s works on a directory that no server has: stop the server, and use --data", what)
	}
	return nil
}

func (a *app) snapshotCommand() *cobra.Command {
	return a.noun("snapshot", "Copies of the views, for recovery and for reading earlier states",
		a.snapshotCreate(), a.snapshotList(), a.snapshotRestore())
}

func (a *app) snapshotCreate() *cobra.Command {
	return &cobra.Command{
		Use:   "create",
		Short: "Make a snapshot of the views",
		Long: `Make a durable, checksummed copy of the views as they are now. A server goes on
meanwhile. The two newest snapshots are kept, and older ones some distance apart.`,
		Example: "  metalog snapshot create\n  metalog --server nats://127.0.0.1:4222 snapshot create",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.read(ctx, func(store fullStore) error {
				snap, err := store.CreateSnapshot(ctx)
				if err != nil {
					return err
				}
				return a.printObject(snap)
			})
		}),
	}
}

func (a *app) snapshotList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the snapshots, the oldest first",
		Example: "  metalog snapshot list -o json",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.read(ctx, func(store fullStore) error {
				list, err := store.ListSnapshots(ctx)
				if err != nil {
					return err
				}
				return printList(a, "snapshots", listOf(list), snapshotColumns...)
			})
		}),
	}
}

var snapshotColumns = []column[metalog.Snapshot]{
	{"SEQ", func(s metalog.Snapshot) any { return s.Seq }},
	{"TIME", func(s metalog.Snapshot) any { return s.Time }},
	{"EPOCH", func(s metalog.Snapshot) any { return s.Epoch }},
	{"SCHEMA", func(s metalog.Snapshot) any { return s.SchemaVersion }},
	{"BYTES", func(s metalog.Snapshot) any { return s.SizeBytes }},
	{"CREATED", func(s metalog.Snapshot) any { return s.CreatedAt }},
	{"DIGEST", func(s metalog.Snapshot) any { return s.Digest }},
}

func (a *app) snapshotRestore() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "restore [SEQ]",
		Short: "Replace the views by a snapshot, and catch up with the log",
		Long: `Replace the views by a snapshot, the newest unless a seq is given, and bring them up
to the end of the log. The log is not rewound: what happened after the snapshot is applied
again. The views that were there are kept as views.db.unusable.`,
		Example: "  metalog snapshot restore --dry-run\n  metalog snapshot restore 250000",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			order := replay.SnapshotRestore{DryRun: dryRun}
			if len(args) > 0 {
				seq, err := parseUint64(args[0])
				if err != nil {
					return usageError{fmt.Errorf("SEQ: %w", err)}
				}
				order.Seq = seq
			}
			return a.restoreSnapshot(ctx, order)
		}),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check the snapshot and show what would be done, and change nothing")
	return cmd
}

func (a *app) restoreSnapshot(ctx context.Context, order replay.SnapshotRestore) error {
	if err := a.offline("snapshot restore"); err != nil {
		return err
	}
	meter := a.meter("records")
	order.Progress = func(p replay.RebuildProgress) { meter.show(reachedBy(p)) }
	restored, err := replay.RestoreSnapshot(ctx, a.data, order)
	meter.end()
	if err != nil {
		return err
	}
	did := "restored the views from snapshot %d and applied %s up to seq %d"
	if restored.DryRun {
		did = "would restore the views from snapshot %d and apply %s up to seq %d"
	}
	return a.say(restored, did, restored.Snapshot.Seq, plural(restored.Records, "record"), restored.Head.Seq)
}
