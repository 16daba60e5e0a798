package publisher_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/publisher"
)

// A subscriber stores the checkpoint of each message together with what it made of
// it, and goes on after it the next time.
func Example_subscribe() {
	js, stop := connect()
	defer stop()

	var checkpoint publisher.Checkpoint // stored by the subscriber; zero: from the beginning
	options := publisher.SubscribeOptions{Cluster: "demo", After: checkpoint}
	for message, err := range publisher.Subscribe(context.Background(), js, options) {
		if err != nil {
			log.Print(err)
			return
		}
		for _, event := range message.Events {
			fmt.Println(event.Seq, event.Index, event.Type, event.Entity, "by", event.Actor)
		}
		checkpoint = message.Checkpoint()
		if checkpoint.Next.Seq > 2 {
			break
		}
	}
	fmt.Println("next time from", checkpoint.Next)
	// Output:
	// 1 0 TopicCreated topic/orders by admin
	// 2 0 OffsetCommitted group/billing by billing
	// 2 1 OffsetCommitted group/billing by billing
	// next time from 3.0
}

// connect starts a server to which a log is published, and connects to it.
func connect() (js jetstream.JetStream, stop func()) {
	dir, err := os.MkdirTemp("", "nats")
	if err != nil {
		log.Fatal(err)
	}
	server, err := natsserver.Start(context.Background(), natsserver.Options{StoreDir: dir, Port: natsserver.RandomPort})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := nats.Connect("", server.ConnectOptions()...)
	if err != nil {
		log.Fatal(err)
	}
	if js, err = jetstream.New(conn); err != nil {
		log.Fatal(err)
	}
	stopPublishing := publish(js)
	return js, func() {
		stopPublishing()
		conn.Close()
		server.Shutdown()
		if err := os.RemoveAll(dir); err != nil {
			log.Print(err)
		}
	}
}

func publish(js jetstream.JetStream) (stop func()) {
	options := publisher.Options{Cluster: "demo", LogID: publisher.DemoLogID, Epoch: 1}
	source := publisher.DemoSource()
	p, err := publisher.New(source, js, options)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx); err != nil {
			log.Print(err)
		}
	})
	publisher.AwaitPublished(source)
	return func() {
		cancel()
		running.Wait()
	}
}
