package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/natsdial"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/publisher"
)

// replicaOptions configure a replica.
type replicaOptions struct {
	server   string // addresses
	nats     []nats.Option
	cluster  string
	dir      string
	listen   string // host:port
	progress func(publisher.Progress)
	logger   *slog.Logger
}

// defaultReplicaListen is beside the port of a server on the same machine.
const defaultReplicaListen = "127.0.0.1:4223"

func (a *app) replicaCommand() *cobra.Command {
	var o replicaOptions
	logLevel := slog.LevelWarn
	cmd := &cobra.Command{
		Use:   "replica --server URL --dir DIR",
		Short: "Run a replica of a server: a copy of its views that follows it, and answers reads",
		Long: `Run a replica of a server: a copy of its views that begins with a snapshot, follows
the log, and answers reads on an address of its own, also while the server is away.
Commands are refused; they go to the server. It stops on an interrupt, and goes on
where it was the next time.`,
		Example: "  metalog replica --server nats://127.0.0.1:4222 --dir ./metalog-replica\n  metalog --server nats://127.0.0.1:4223 topic list",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (err error) {
			if a.serverURL() == "" {
				return usagef("it follows a server; name it with --server or METALOG_SERVER")
			}
			if o.server, err = natsAddress("--server", a.serverURL()); err != nil {
				return err
			}
			if o.nats, err = a.natsOptions(); err != nil {
				return err
			}
			o.cluster = a.cluster
			o.logger = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: logLevel}))
			o.progress = a.replicaProgress()
			return a.replica(ctx, o)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "", "`directory` of the replica; created when missing")
	f.StringVar(&o.listen, "listen", defaultReplicaListen, "address that reads are answered on, of this machine (port -1: any free one)")
	f.TextVar(&logLevel, "log-level", slog.LevelWarn, "what is logged to standard error: debug, info, warn or error")
	require(cmd, "dir")
	return cmd
}

// replica runs a replica until ctx is done, or until it can't follow any more.
func (a *app) replica(ctx context.Context, o replicaOptions) error {
	r := &replicaServer{opts: o}
	err := r.start(ctx)
	if err == nil {
		err = a.attendReplica(ctx, r)
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(err, r.stop(stopping))
}

// attendReplica tells where the replica listens, and waits until it is to stop
// or has to.
func (a *app) attendReplica(ctx context.Context, r *replicaServer) error {
	o := r.opts
	fmt.Fprintf(a.out, `metalog replica of cluster %q

  server   %s
  dir      %s (seq %d)
  nats     %s (reads)

Try it from another terminal:

  metalog --server %[5]s topic list

Stop it with Ctrl-C.
`, o.cluster, natsdial.Redacted(o.server), o.dir, r.replica.Views().Checkpoint().Seq, r.nats.ClientURL())
	if err := a.out.Flush(); err != nil {
		return err
	}
	select {
	case <-r.replica.Done():
		return r.replica.Err()
	case <-ctx.Done():
		fmt.Fprintln(a.out, "stopping")
		return a.out.Flush()
	}
}

// replicaProgress shows on a terminal how a replica comes up to its server.
func (a *app) replicaProgress() func(publisher.Progress) {
	snapshot, records := a.meter("bytes"), a.meter("records")
	var from uint64 // where records begin
	return func(p publisher.Progress) {
		switch {
		case p.Snapshot.Seq != 0 && p.Bytes < p.Snapshot.SizeBytes:
			snapshot.show(reached{fmt.Sprint("snapshot ", p.Snapshot.Seq), p.Bytes, p.Bytes, p.Snapshot.SizeBytes})
		case p.Snapshot.Seq == 0 && p.Seq < p.Head:
			if from == 0 {
				from = p.Seq
			}
			records.show(reached{"catching up", int64(p.Seq - from), int64(p.Seq - from), int64(p.Head - from)})
		default:
			from = 0
			records.end()
		}
	}
}

// replicaServer is the parts of a running replica.
type replicaServer struct {
	opts    replicaOptions
	replica *publisher.Replica
	nats    *natsserver.Server
	closers []func(context.Context) error // in the order of the starts
}

func (r *replicaServer) onStop(stop func(context.Context) error) {
	r.closers = append(r.closers, stop)
}

// start starts all parts. Whatever it returns, stop has to follow.
func (r *replicaServer) start(ctx context.Context) error {
	host, port, err := splitListen(r.opts.listen)
	if err != nil {
		return err
	}
	if err := r.follow(ctx); err != nil {
		return err
	}
	r.nats, err = natsserver.Start(ctx, natsserver.Options{NoJetStream: true, Host: host, Port: port, Logger: r.opts.logger})
	if err != nil {
		return err
	}
	r.onStop(func(context.Context) error { r.nats.Shutdown(); return nil })
	if err := r.replica.SetHolder(fmt.Sprintf("'metalog replica' (process %d) at --server %s", os.Getpid(), r.nats.ClientURL())); err != nil {
		return err
	}
	return r.answer()
}

// stop stops what was started, the last one first.
func (r *replicaServer) stop(ctx context.Context) error {
	var errs []error
	for _, stop := range slices.Backward(r.closers) {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errs...)
}

// follow connects to the server and begins to follow it.
func (r *replicaServer) follow(ctx context.Context) error {
	opts := append([]nats.Option{nats.Name("metalog replica"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(r.hasViews())}, r.opts.nats...)
	nc, err := nats.Connect(r.opts.server, opts...)
	if natsdial.Refused(err) {
		return natsdial.Refusal(r.opts.server, err)
	}
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "replica: no NATS server answers at %s: %w; start one with 'metalog serve', or check the URL", natsdial.Redacted(r.opts.server), err)
	}
	r.onStop(func(context.Context) error { nc.Close(); return nil })
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	r.replica, err = publisher.Follow(ctx, r.opts.dir, js, publisher.FollowOptions{
		Cluster: r.opts.cluster, Progress: r.opts.progress, Logger: r.opts.logger,
		Holder: fmt.Sprintf("'metalog replica' (process %d)", os.Getpid()),
	})
	if err != nil {
		return err
	}
	r.onStop(func(context.Context) error { return r.replica.Close() })
	return nil
}

// hasViews tells whether the replica can answer without its server.
func (r *replicaServer) hasViews() bool { return publisher.HoldsReplica(r.opts.dir) }

// answer answers reads.
func (r *replicaServer) answer() error {
	nc, err := nats.Connect("", append(r.nats.ConnectOptions(), nats.Name("metalog replica service"), nats.MaxReconnects(-1))...)
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "replica: %w", err)
	}
	r.onStop(func(context.Context) error { nc.Close(); return nil })
	reads := metalog.ReadViews(r.replica.Views(), metalog.ViewsOptions{Wait: r.replica.Wait, Describe: r.describe})
	api, err := service.StartReplica(reads, natsdial.Redacted(r.opts.server), nc, service.Options{Cluster: r.opts.cluster, Logger: r.opts.logger})
	if err != nil {
		return err
	}
	r.onStop(api.Close)
	return nil
}

// describe completes the info of a replica.
func (r *replicaServer) describe(info *metalog.Info) error {
	info.Replica = &metalog.ReplicaInfo{Of: natsdial.Redacted(r.opts.server), HeadSeq: r.replica.Head().Seq}
	if err := r.replica.Err(); err != nil {
		info.Replica.Error = err.Error()
	}
	size, err := os.Stat(r.replica.Path())
	if err == nil {
		info.ViewsBytes = size.Size()
	}
	return err
}

// splitListen reads an address of this machine. The replica has no
// authentication of its own.
func splitListen(listen string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(listen)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil {
		return "", 0, events.Errorf(events.CodeInvalid, "--listen %q: %w; it is HOST:PORT, such as %s", listen, err, defaultReplicaListen)
	}
	return host, port, nil
}
