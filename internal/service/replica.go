package service

import (
	"context"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/logread"
)

// replica is views that follow a server. They have no log to make earlier states
// from.
type replica struct {
	Viewer
	server string
}

func (r replica) At(context.Context, metalog.Point) (metalog.View, error) {
	return nil, r.refusal()
}

func (r replica) refusal() error {
	return events.Errorf(events.CodeForbidden, "this is a replica, which only answers reads of the current state; ask the server that it follows, %s", r.server)
}

// listenReplica subscribes to all operations: reads of views are answered, the
// rest is refused.
func (s *Service) listenReplica(r replica) error {
	if err := s.listenViews(r); err != nil {
		return err
	}
	for _, o := range storeReads {
		if err := add(s, refusal(o.op), r, s.readSlots); err != nil {
			return err
		}
	}
	for _, op := range append(metalog.Ops(), logread.Op) {
		if err := add(s, refusal(op), r, s.commandSlots); err != nil {
			return err
		}
	}
	return s.nc.Flush()
}

// refusal makes the operation of what a replica does not do.
func refusal(op string) operation[replica] {
	return operation[replica]{op, func(_ context.Context, from replica, _ micro.Request) (answer, error) {
		return answer{}, named(op, from.refusal())
	}}
}
