// Command go-nats is a subscriber to metalog's events that needs nothing of
// metalog but docs/subscribing.md: it uses the NATS client alone. It counts events
// by type and keeps a digest of what it has read, in one file with its place, so
// that each event counts once however often the program, the server or the stream
// is lost.
//
//	go run ./docs/examples/go-nats -state state.json -filter 'topic.*.SegmentAdded'
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const retryAfter = 200 * time.Millisecond

func main() {
	url := flag.String("server", nats.DefaultURL, "URL of the NATS server")
	cluster := flag.String("cluster", "default", "the cluster's name")
	path := flag.String("state", "state.json", "file of what was counted and of the place in the log")
	filter := flag.String("filter", "", "what to count, such as 'topic.*.SegmentAdded' or 'group.*.*' (default: everything)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *url, *cluster, *path, *filter); err != nil {
		log.Fatal(err)
	}
}

// run counts until ctx is done, and then returns nil, or until it must not go on.
func run(ctx context.Context, url, cluster, path, filter string) error {
	state, err := loadState(path)
	if err != nil {
		return err
	}
	conn, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(retryAfter), nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	s := newSubscriber(js, cluster, filter, state)
	for ctx.Err() == nil {
		err := s.session(ctx)
		if final := (*finalError)(nil); errors.As(err, &final) {
			return err
		}
		if ctx.Err() == nil {
			log.Printf("%v; trying again", err)
			pause(ctx)
		}
	}
	return nil
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(retryAfter):
	}
}
