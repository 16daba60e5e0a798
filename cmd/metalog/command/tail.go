package command

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/publisher"
)

// tailOptions say which events to show.
type tailOptions struct {
	follow    bool
	records   uint64      // from the end, to begin with
	eventType events.Type // 0: all
	entity    events.EntityRef
}

func (a *app) eventsTail() *cobra.Command {
	var (
		o                 tailOptions
		entity, eventType string
	)
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show the last events, and with --follow those that come",
		Long: `Show the last events, and with --follow those that come. From a server they come
as it publishes them. -o json prints an object a line, as jsonl does.`,
		Example: "  metalog --server nats://127.0.0.1:4222 events tail --follow\n  metalog events tail --records 100 --type TopicDeleted",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (err error) {
			if entity != "" {
				if o.entity, err = events.ParseEntityRef(entity); err != nil {
					return err
				}
			}
			if eventType != "" {
				if o.eventType, err = events.ParseType(eventType); err != nil {
					return err
				}
			}
			if a.format == formatJSON {
				a.format = formatJSONL
			}
			return a.tail(ctx, o)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&o.follow, "follow", false, "wait for more, until interrupted")
	f.Uint64VarP(&o.records, "records", "n", 10, "begin with so many of the last records")
	f.StringVar(&eventType, "type", "", "only events of this `type`")
	f.StringVar(&entity, "entity", "", "only events about this `entity`: topic/NAME, group/ID, broker/ID, producer/ID or cluster")
	completeFlag(cmd, "type", completeType)
	completeFlag(cmd, "entity", a.completeEntities(eventEntities...))
	return cmd
}

// tail shows events from the log's end, and then follows it. An interrupt is how
// following ends, and no error.
func (a *app) tail(ctx context.Context, o tailOptions) error {
	return a.read(ctx, func(store fullStore) error {
		info, err := store.Info(ctx)
		if err != nil {
			return err
		}
		p := a.eventPrinter()
		from := max(info.FirstSeq, info.Seq-min(info.Seq, o.records)+1)
		if from <= info.Seq {
			if err := p.printAll(store.Events(ctx, o.query(from, info.Seq))); err != nil {
				return err
			}
		}
		if !o.follow {
			return p.end()
		}
		err = a.follow(ctx, store, o, p, info.Seq+1)
		if ctx.Err() != nil {
			return nil
		}
		return err
	})
}

func (o tailOptions) query(from, to uint64) metalog.EventQuery {
	q := metalog.EventQuery{From: from, To: to, Entity: o.entity}
	if o.eventType != 0 {
		q.Types = []string{o.eventType.String()}
	}
	return q
}

// follow shows events from seq next on: those that the server publishes, or what
// the log in process gets.
func (a *app) follow(ctx context.Context, store metalog.MetadataStore, o tailOptions, p *eventPrinter, next uint64) error {
	if err := a.out.Flush(); err != nil {
		return err
	}
	switch store := store.(type) {
	case *client.Client:
		return a.followServer(ctx, store, o, p, next)
	case *metalog.Store:
		return a.followLog(ctx, store, o, p, next)
	}
	return events.Errorf(events.CodeInvalid, "this store can't be followed")
}

func (a *app) followLog(ctx context.Context, store *metalog.Store, o tailOptions, p *eventPrinter, next uint64) error {
	for {
		if err := store.Log().Wait(ctx, next); err != nil {
			return err
		}
		head := store.Log().Head().Seq
		if err := p.printAll(store.Events(ctx, o.query(next, head))); err != nil {
			return err
		}
		if err := a.out.Flush(); err != nil {
			return err
		}
		next = head + 1
	}
}

// While a record is in the log and not published yet, following can't begin
// there; a new server may even be without its stream for a moment.
const (
	publishWait  = 100 * time.Millisecond
	publishTries = 100
)

func (a *app) followServer(ctx context.Context, c *client.Client, o tailOptions, p *eventPrinter, next uint64) error {
	js, err := jetstream.New(c.Conn())
	if err != nil {
		return err
	}
	subscribe := publisher.SubscribeOptions{
		Cluster: a.cluster,
		From:    events.Position{Seq: next},
		Filter:  publisher.Filter{Aggregate: o.entity.Kind, ID: o.entity.ID, Type: o.eventType},
	}
	for try := 0; ; try++ {
		err := a.followStream(ctx, js, subscribe, p)
		if try == publishTries || !notYet(err) {
			return err
		}
		select {
		case <-time.After(publishWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// notYet reports whether following may begin in a moment.
func notYet(err error) bool {
	if beyond, ok := errors.AsType[*publisher.RangeError](err); ok {
		return beyond.Want.Seq >= beyond.Next.Seq
	}
	return errors.Is(err, metalog.ErrNotFound)
}

func (a *app) followStream(ctx context.Context, js jetstream.JetStream, subscribe publisher.SubscribeOptions, p *eventPrinter) error {
	for message, err := range publisher.Subscribe(ctx, js, subscribe) {
		if err != nil {
			return err
		}
		if err := p.printAll(all(message.Events)); err != nil {
			return err
		}
		if err := a.out.Flush(); err != nil {
			return err
		}
	}
	return nil
}
