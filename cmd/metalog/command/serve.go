package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog/internal/natsdial"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/sample"
	"github.com/metalog/metalog/publisher"
)

func (a *app) serveCommand() *cobra.Command {
	o := serveOptions{logLevel: slog.LevelWarn}
	var cmd *cobra.Command
	cmd = &cobra.Command{
		Use:   "serve",
		Short: "Run the server: store, NATS with the request API and the published events, HTTP",
		Long: `Run the server on the data directory: the store, NATS over which it takes commands
and publishes every event, and HTTP with /healthz, /readyz and /metrics. It stops on
an interrupt, when all that it has taken is done.

NATS is embedded, listens on this machine, and keeps its streams in the data directory.
There, --nats-user and --nats-password say who may connect. With --nats it is an external
server with JetStream, to which the server connects as --nats-creds, --nats-nkey or
--nats-user and --nats-cert say. When it can't be reached, the server waits for it.

With one of --archive-older-than, --archive-keep-bytes and --archive-keep-records, old
segments of the log are moved to the archive at --archive-to by themselves, as 'metalog
archive' does it.`,
		Example: `  metalog serve --demo
  METALOG_NATS_PASSWORD=secret metalog serve --nats-host 0.0.0.0 --nats-user ops
  metalog serve --nats nats://n1:4222,nats://n2:4222 --nats-creds metalog.creds --stream-replicas 3
  metalog serve --nats tls://nats.example.org --nats-cert metalog.pem --nats-key metalog.key --nats-ca ca.pem`,
		Args: cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (err error) {
			if a.serverURL() != "" {
				return usagef("it works on a data directory; leave --server and METALOG_SERVER out")
			}
			if o, err = a.natsOfServer(cmd, o); err != nil {
				return err
			}
			o.data, o.cluster = a.data, a.cluster
			return a.serve(ctx, o)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&o.demo, "demo", false, "load the sample catalogue")
	f.BoolVar(&o.check, "check", false, "start, see that everything answers, and stop")
	f.StringVar(&o.external, "nats", "", "`URL` of an external NATS server, or several with commas between them (default: an embedded one)")
	f.StringVar(&o.natsHost, "nats-host", natsserver.DefaultHost, "address that the embedded NATS listens on; a public one needs a user")
	f.IntVar(&o.natsPort, "nats-port", natsserver.DefaultPort, "port that the embedded NATS listens on (-1: any free one)")
	f.StringVar((*string)(&o.payload), "payload", string(publisher.JSON), "how published events are encoded: json or cbor")
	f.IntVar(&o.replicas, "stream-replicas", 0, "replicas of the stream on an external cluster; a stream that is there is changed (default 1 for a new one)")
	f.Uint64Var(&o.retainRecords, "stream-retain-records", 0, "let the stream forget records in front, but not the last `N` (0: it keeps all)")
	f.Uint64Var(&o.maxLag, "max-publish-lag", 0, "have commits of offsets and watermarks wait while more than `N` records are not published (0: never)")
	f.StringVar(&o.archiveTo, "archive-to", "", archiveTo+" (default: where it was)")
	policyFlags(f, &o.archivePolicy, "archive-")
	f.StringVar(&o.http, "http", "127.0.0.1:7070", "address of HTTP (empty: none)")
	f.TextVar(&o.logLevel, "log-level", slog.LevelWarn, "what is logged to standard error: debug, info, warn or error")
	return cmd
}

// natsOfServer checks what the flags say of NATS and of the stream.
func (a *app) natsOfServer(cmd *cobra.Command, o serveOptions) (serveOptions, error) {
	switch {
	case o.payload != publisher.JSON && o.payload != publisher.CBOR:
		return o, usagef("--payload %s: it is json or cbor", o.payload)
	case o.replicas < 0 || o.replicas > maxReplicas:
		return o, usagef("--stream-replicas %d: NATS keeps 1 to %d", o.replicas, maxReplicas)
	case o.external == "":
		return a.embeddedNATS(o)
	case cmd.Flags().Changed("nats-host") || cmd.Flags().Changed("nats-port"):
		return o, usagef("--nats-host and --nats-port are of the embedded NATS; leave them out with --nats")
	}
	var err error
	if o.external, err = natsAddress("--nats", o.external); err == nil {
		o.natsOptions, err = a.natsOptions()
	}
	return o, err
}

const maxReplicas = 5 // of a stream, as NATS has it

// embeddedNATS refuses what the embedded server does not do.
func (a *app) embeddedNATS(o serveOptions) (serveOptions, error) {
	if o.replicas > 1 {
		return o, usagef("--stream-replicas %d: the embedded NATS is one server; give those of a cluster with --nats", o.replicas)
	}
	if given := a.nats; given.CredsFile+given.NKeyFile+given.CertFile+given.KeyFile+given.CAFile != "" {
		return o, usagef("the embedded NATS knows users by --nats-user and --nats-password only; --nats-creds and the like go with --nats")
	}
	c := a.natsCredentials()
	o.natsAuth = natsserver.Auth{User: c.User, Password: c.Password}
	return o, nil
}

// stopTimeout bounds how long a stop waits for requests that are worked on.
const stopTimeout = 30 * time.Second

// serve runs a server until ctx is done, or only checks it.
func (a *app) serve(ctx context.Context, o serveOptions) error {
	o.waiting = func() {
		fmt.Fprintf(a.out, "waiting for NATS at %s; stop it with Ctrl-C\n", natsdial.Redacted(o.external))
		_ = a.out.Flush() // the end of the command tells, too
	}
	o.logger = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: o.logLevel}))
	s := newServer(o)
	err := s.start(ctx)
	if err == nil && o.demo {
		err = a.loadDemo(ctx, s)
	}
	switch {
	case err != nil:
	case o.check:
		err = a.checkServer(ctx, s)
	default:
		err = a.attend(ctx, s)
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(err, s.stop(stopping))
}

// loadDemo applies the sample catalogue. Its commands have ids, so again it
// changes nothing.
func (a *app) loadDemo(ctx context.Context, s *server) error {
	meter := a.meter("lines")
	counts, err := applyLines(ctx, s.store, sample.Open(), applyOptions{name: "sample", actor: "demo", meter: meter})
	meter.end()
	if err == nil {
		fmt.Fprintf(a.out, "sample catalogue: %d commands applied, %d there already\n", counts.Applied, counts.Repeated+counts.Unchanged)
	}
	return err
}

// attend tells where the server listens, and waits until it is to stop.
func (a *app) attend(ctx context.Context, s *server) error {
	info, err := s.store.Info(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, `metalog serves cluster %q

  data   %s (seq %d, %d topics)
  nats   %s (%s; commands and events)
  http   %s

Try it from another terminal:

  metalog --server %[5]s topic list
  metalog --server %[5]s events tail --follow

Stop it with Ctrl-C.
`, s.opts.cluster, s.opts.data, info.Seq, info.Entities["topics"], s.natsURL(), s.natsKind(), s.httpText())
	if err := a.out.Flush(); err != nil {
		return err
	}
	<-ctx.Done()
	fmt.Fprintln(a.out, "stopping")
	return a.out.Flush()
}

// checkServer asks the running server as others would.
func (a *app) checkServer(ctx context.Context, s *server) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	return a.say(map[string]bool{"ready": true}, "the server starts, answers and stops")
}
