package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/publisher"
)

// partsOptions say what runs beside the store.
type partsOptions struct {
	wire    bool // the request API, and a client of it over the loopback interface
	publish bool // the publisher
}

// parts are a store and what 'metalog serve' runs beside it, all with its defaults.
type parts struct {
	options partsOptions
	dir     string

	store     *metalog.Store
	nats      *natsserver.Server   // nil: neither wire nor publish
	publisher *publisher.Publisher // nil: not publish
	client    *client.Client       // nil: not wire

	closers []func(context.Context) error // in the order of the starts
}

var quiet = slog.New(slog.DiscardHandler)

// start starts all parts. Whatever it returns, stop has to follow.
func (p *parts) start(ctx context.Context) error {
	starts := []func(context.Context) error{p.openStore}
	if p.options.wire || p.options.publish {
		starts = append(starts, p.startNATS)
	}
	if p.options.publish {
		starts = append(starts, p.startPublisher)
	}
	if p.options.wire {
		starts = append(starts, p.startService, p.connectClient)
	}
	for _, start := range starts {
		if err := start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *parts) onStop(stop func(context.Context) error) { p.closers = append(p.closers, stop) }

// stop stops what was started, the last one first.
func (p *parts) stop(ctx context.Context) error {
	var errs []error
	for _, stop := range slices.Backward(p.closers) {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errs...)
}

func (p *parts) openStore(ctx context.Context) (err error) {
	p.store, err = metalog.Open(ctx, metalog.Options{Path: filepath.Join(p.dir, "data"), IndexHistory: p.options.wire})
	if err == nil {
		p.onStop(func(context.Context) error { return p.store.Close() })
	}
	return err
}

func (p *parts) startNATS(ctx context.Context) (err error) {
	p.nats, err = natsserver.Start(ctx, natsserver.Options{
		StoreDir: filepath.Join(p.dir, "nats"), Port: natsserver.RandomPort, Logger: quiet,
	})
	if err == nil {
		p.onStop(func(context.Context) error { p.nats.Shutdown(); return nil })
	}
	return err
}

// connect is the server's own way to NATS, without the network.
func (p *parts) connect() (*nats.Conn, error) {
	nc, err := nats.Connect(p.nats.ClientURL(), p.nats.ConnectOptions()...)
	if err == nil {
		p.onStop(func(context.Context) error { nc.Close(); return nil })
	}
	return nc, err
}

func (p *parts) startPublisher(ctx context.Context) error {
	nc, err := p.connect()
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	info, err := p.store.Info(ctx)
	if err != nil {
		return err
	}
	p.publisher, err = publisher.New(p.store.Log(), js, publisher.Options{
		Cluster: client.DefaultCluster, LogID: info.LogID, Epoch: info.Epoch, Logger: quiet, Encoding: publisher.JSON,
	})
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- p.publisher.Run(running)
		cancel()
	}()
	p.onStop(func(ctx context.Context) error {
		waiting, giveUp := context.WithCancel(ctx)
		defer giveUp()
		context.AfterFunc(running, giveUp)
		err := p.publisher.WaitLag(waiting, 0) // else the next round begins with what this one left
		cancel()
		return errors.Join(err, <-ended)
	})
	return nil
}

func (p *parts) startService(context.Context) error {
	nc, err := p.connect()
	if err != nil {
		return err
	}
	s, err := service.Start(p.store, nc, service.Options{})
	if err == nil {
		p.onStop(s.Close)
	}
	return err
}

func (p *parts) connectClient(ctx context.Context) (err error) {
	p.client, err = client.Connect(ctx, p.nats.ClientURL(), client.Options{})
	if err == nil {
		p.onStop(func(context.Context) error { return p.client.Close() })
	}
	return err
}

// lag tells how far publishing is behind.
func (p *parts) lag(ctx context.Context) (string, error) {
	if p.publisher == nil {
		return "", nil
	}
	lag, err := p.publisher.Lag(ctx)
	if lag.Records == 0 {
		return "all published", err
	}
	return fmt.Sprintf("%d records not yet published", lag.Records), err
}
