package service

import (
	"context"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/logread"
)

// listenReplica subscribes to all operations: reads of views are answered, the
// rest is refused.
func (s *Service) listenReplica(from Viewer, server string) error {
	if err := s.listenViews(from); err != nil {
		return err
	}
	for _, o := range storeReads {
		if err := add(s, refusal(o.op, server), from, s.readSlots); err != nil {
			return err
		}
	}
	for _, op := range append(metalog.Ops(), logread.Op) {
		if err := add(s, refusal(op, server), from, s.commandSlots); err != nil {
			return err
		}
	}
	return s.nc.Flush()
}

// refusal makes the operation of what a replica does not do.
func refusal(op, server string) operation[Viewer] {
	return operation[Viewer]{op, func(context.Context, Viewer, micro.Request) (answer, error) {
		return answer{}, events.Errorf(events.CodeForbidden, "%s: this is a replica, which only answers reads of the current state; ask the server that it follows, %s", op, server)
	}}
}
