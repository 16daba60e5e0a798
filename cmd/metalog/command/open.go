package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
)

// fullStore is what a store and a client of one have both.
type fullStore interface {
	metalog.MetadataStore
	Diff(ctx context.Context, from, to metalog.Point, opts metalog.DiffOptions) (*metalog.Diff, error)
	PlanUndo(ctx context.Context, opts metalog.UndoOptions, cmdOpts ...metalog.CommandOption) (metalog.UndoPlan, error)
	Undo(ctx context.Context, opts metalog.UndoOptions, cmdOpts ...metalog.CommandOption) (metalog.UndoReport, error)
	Rebuild(ctx context.Context, order metalog.RebuildOrder) (metalog.RebuildReport, error)
	CreateSnapshot(ctx context.Context) (metalog.Snapshot, error)
	ListSnapshots(ctx context.Context) ([]metalog.Snapshot, error)
	Backup(ctx context.Context, dir string) (metalog.BackupReport, error)
	Archive(ctx context.Context, opts metalog.ArchiveOptions) (metalog.ArchiveReport, error)
	ListArchive(ctx context.Context) (metalog.ArchiveStatus, error)
	PruneArchive(ctx context.Context, opts metalog.PruneOptions) (metalog.PruneReport, error)
}

// open opens what the command works on: a server when one is given, or else the
// data directory, which a write creates and a read does not.
func (a *app) open(ctx context.Context, mustExist bool) (fullStore, error) {
	if server := a.serverURL(); server != "" {
		return a.connect(ctx, server)
	}
	return metalog.Open(ctx, metalog.Options{
		Path:          a.data,
		MustExist:     mustExist,
		Holder:        fmt.Sprintf("a metalog command (process %d)", os.Getpid()),
		Logger:        slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn})), // what opening repaired
		SweepInterval: -1,                                                                                // what times out is for a server to find, not for a glance
	})
}

func (a *app) connect(ctx context.Context, server string) (*client.Client, error) {
	address, err := natsAddress("--server", server)
	if err != nil {
		return nil, err
	}
	opts, err := a.natsOptions()
	if err != nil {
		return nil, err
	}
	return client.Connect(ctx, address, client.Options{Cluster: a.cluster, NATS: opts})
}

// serverURL is the server to work on; empty: a data directory. A flag counts
// more than the environment.
func (a *app) serverURL() string {
	if a.server == "" && !a.dataGiven {
		return os.Getenv("METALOG_SERVER")
	}
	return a.server
}

// checkTarget refuses a directory and a server at once, and a point in the past
// where there is only the present.
func (a *app) checkTarget(cmd *cobra.Command, _ []string) error {
	a.dataGiven = cmd.Flags().Changed("data")
	if a.dataGiven && a.server != "" {
		return usagef("--data and --server: give one, not both")
	}
	return a.checkAt(cmd)
}

// read runs a command that changes nothing. One that reads nothing but views goes
// through readViews.
func (a *app) read(ctx context.Context, body func(fullStore) error) error {
	store, err := a.open(ctx, true)
	if err != nil {
		return err
	}
	return errors.Join(body(store), store.Close())
}

// shower prints what a write made, or, with no result, what is there.
type shower func(ctx context.Context, from metalog.Reader, result metalog.Result) error

// show runs a command that shows one thing.
func (a *app) show(ctx context.Context, show shower) error {
	return a.readViews(ctx, func(from metalog.Reader) error {
		return show(ctx, from, metalog.Result{})
	})
}

// write does a command and shows what it made, or shows its events only.
func (a *app) write(ctx context.Context, cmd metalog.Command, show shower) error {
	if a.atGiven {
		return errAt // a command that reads or writes, as its flags say
	}
	store, err := a.open(ctx, a.dryRun)
	if err != nil {
		return err
	}
	return errors.Join(a.writeTo(ctx, store, cmd, show), store.Close())
}

func (a *app) writeTo(ctx context.Context, store metalog.MetadataStore, cmd metalog.Command, show shower) error {
	opts := a.options()
	if a.dryRun {
		planned, err := store.Plan(ctx, cmd, func(o *metalog.CommandOptions) { *o = opts })
		if err != nil {
			return err
		}
		return a.printPlan(planned)
	}
	result, err := store.Execute(ctx, cmd, opts)
	if err != nil {
		return err
	}
	return show(ctx, store, result)
}

// options are what the global flags say of a command.
func (a *app) options() metalog.CommandOptions {
	return metalog.CommandOptions{
		ID: a.commandID, IfRevision: a.ifRevision, Reason: a.reason,
		Actor: cmp.Or(a.actor, userName()),
	}
}

// userName is the name of who runs the program.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

// version is that of the module, as far as the build knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
