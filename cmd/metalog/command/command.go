package command

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/internal/natsdial"
)

// Streams are what a run of the command reads from and writes to.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run runs one command line, without the program's name, and returns the exit
// status that errors.go lists.
func Run(ctx context.Context, args []string, streams Streams) int {
	out := bufio.NewWriter(streams.Out)
	a := &app{in: streams.In, out: out, terminal: streams.Out, err: streams.Err}
	root := a.root()
	root.SetArgs(quotePoints(args))
	cmd, err := root.ExecuteContextC(ctx)
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		err = flushErr
	}
	if err == nil {
		return exitDone
	}
	return a.report(cmd, err)
}

// app is one run of the command: its streams and its global flags.
type app struct {
	in       io.Reader
	out      *bufio.Writer
	terminal io.Writer // what out writes to, which may be one
	err      io.Writer

	data       string
	server     string
	cluster    string
	format     format
	actor      string
	commandID  string
	reason     string
	ifRevision *uint64
	at         metalog.Point
	nats       natsdial.Credentials // of the flags alone: see natsCredentials

	dataGiven bool // --data was given
	atGiven   bool // --at was given
	dryRun    bool // of the commands that have the flag
	begun     bool // flags and arguments are right, the command itself runs
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "metalog",
		Short: "Event-sourced metadata store of a streaming platform",
		Long: `metalog keeps the metadata of a Kafka-like streaming platform as a log of events.

Commands work on a data directory (--data), or on a running server (--server).
Exit status: 0 done, 1 refused, 2 wrong usage, 3 corrupt, 4 unavailable or outcome unknown.`,
		Example: `  metalog serve --demo
  metalog --server nats://127.0.0.1:4222 topic list
  metalog --data ./metalog-data topic create orders --partitions 6 --replication-factor 3`,
		Version:           version(),
		SilenceErrors:     true,
		PersistentPreRunE: a.checkTarget,
		SilenceUsage:      true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	a.globalFlags(root)
	root.AddCommand(
		a.serveCommand(), a.replicaCommand(), a.initCommand(), a.applyCommand(), a.infoCommand(),
		a.topicCommand(), a.segmentCommand(), a.brokerCommand(), a.partitionCommand(),
		a.groupCommand(), a.offsetCommand(), a.configCommand(),
		a.producerCommand(), a.txnCommand(),
		a.eventsCommand(), a.historyCommand(), a.blameCommand(), a.diffCommand(), a.exportCommand(), a.undoCommand(),
		a.verifyCommand(), a.headCommand(),
		a.rebuildCommand(), a.snapshotCommand(), a.backupCommand(), a.restoreCommand(), a.archiveCommand(), a.logCommand(),
	)
	return root
}

func (a *app) globalFlags(root *cobra.Command) {
	a.format = formatTable
	f := root.PersistentFlags()
	f.StringVar(&a.data, "data", fromEnv("METADATA_PATH", "./metalog-data"), "data directory to work on, in process (environment METADATA_PATH)")
	f.StringVar(&a.server, "server", "", "server to work on instead, such as nats://127.0.0.1:4222 (environment METALOG_SERVER)")
	f.StringVar(&a.cluster, "cluster", client.DefaultCluster, "name of the cluster, part of all NATS subjects")
	f.VarP(&a.format, "output", "o", "table, json, jsonl or yaml")
	f.StringVar(&a.actor, "actor", "", "who does it, for the record (default: the user's name)")
	f.StringVar(&a.commandID, "command-id", "", "make a write idempotent: the same id again changes nothing")
	f.StringVar(&a.reason, "reason", "", "why, for the record")
	f.Var(optionalUint64(&a.ifRevision), "if-revision", "write only if the entity has this revision (0: does not exist)")
	f.Var(point{&a.at}, "at", "show what was there at a `POINT`: a seq, a time, -2h, 'yesterday 14:00'")
	a.natsFlags(f)
	completeFlag(root, "at", completePoint)
}

func fromEnv(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// run makes the body of a command.
func (a *app) run(body func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.begun = true
		return body(cmd.Context(), args)
	}
}

// noun makes a command that only groups others.
func (a *app) noun(name, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("a verb is missing")
			}
			return unknownVerb(cmd, args[0])
		},
		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(verbs...)
	return cmd
}

// dryRunFlag gives a write the flag that only shows its events.
func (a *app) dryRunFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.dryRun, "dry-run", false, "show the events that would be appended, and append nothing")
}
