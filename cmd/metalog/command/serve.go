package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/sample"
)

func (a *app) serveCommand() *cobra.Command {
	o := serveOptions{logLevel: slog.LevelWarn}
	var check bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server: store, NATS with the request API and the published events, HTTP",
		Long: `Run the server on the data directory: the store, an embedded NATS server that takes
commands and publishes every event, and HTTP with /healthz, /readyz and /metrics.
It stops on an interrupt, when all that it has taken is done.`,
		Example: "  metalog serve --demo\n  metalog serve --nats-host 0.0.0.0 --nats-user ops --nats-password secret",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if a.serverURL() != "" {
				return usagef("it works on a data directory; leave --server and METALOG_SERVER out")
			}
			o.data, o.cluster = a.data, a.cluster
			return a.serve(ctx, o, check)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&o.demo, "demo", false, "load the sample catalogue")
	f.BoolVar(&check, "check", false, "start, see that everything answers, and stop")
	f.StringVar(&o.natsHost, "nats-host", natsserver.DefaultHost, "address that NATS listens on; a public one needs a user")
	f.IntVar(&o.natsPort, "nats-port", natsserver.DefaultPort, "port that NATS listens on (-1: any free one)")
	f.StringVar(&o.natsAuth.User, "nats-user", os.Getenv("METALOG_NATS_USER"), "who may connect (environment METALOG_NATS_USER)")
	f.StringVar(&o.natsAuth.Password, "nats-password", "", "password of that user (environment METALOG_NATS_PASSWORD)")
	f.StringVar(&o.http, "http", "127.0.0.1:7070", "address of HTTP (empty: none)")
	f.TextVar(&o.logLevel, "log-level", slog.LevelWarn, "what is logged to standard error: debug, info, warn or error")
	return cmd
}

// stopTimeout bounds how long a stop waits for requests that are worked on.
const stopTimeout = 30 * time.Second

// serve runs a server until ctx is done, or only checks it.
func (a *app) serve(ctx context.Context, o serveOptions, check bool) error {
	if o.natsAuth.Password == "" {
		o.natsAuth.Password = os.Getenv("METALOG_NATS_PASSWORD")
	}
	o.logger = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: o.logLevel}))
	s := newServer(o)
	err := s.start(ctx)
	if err == nil && o.demo {
		err = a.loadDemo(ctx, s)
	}
	switch {
	case err != nil:
	case check:
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
	progress := a.progress()
	counts, err := applyLines(ctx, s.store, sample.Open(), applyOptions{name: "sample", actor: "demo", progress: progress})
	progress(-1)
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
  nats   %s (commands and events)
  http   %s

Try it from another terminal:

  metalog --server %[5]s topic list
  metalog --server %[5]s events tail --follow

Stop it with Ctrl-C.
`, s.opts.cluster, s.opts.data, info.Seq, info.Entities["topics"], s.nats.ClientURL(), s.httpText())
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
