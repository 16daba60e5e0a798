package service

import (
	"context"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/logread"
)

// logReaders bounds how many log reads are answered with frames at a time, and
// with that the memory which those take.
const logReaders = 8

// logRead makes the operation that replicas follow the log with. Most of these
// requests wait for the next record. At most half of the slots are for those
// that wait; whoever comes then is told at once that there is nothing new.
func (s *Service) logRead(of logread.State) operation[*metalog.Store] {
	reading := make(chan struct{}, logReaders)
	return operation[*metalog.Store]{logread.Op, func(ctx context.Context, store *metalog.Store, r micro.Request) (a answer, err error) {
		var req logread.Request
		if err := decodeStrict(r.Data(), &req); err != nil {
			return a, named(logread.Op, err)
		}
		log := store.Log()
		tell := func() answer {
			now := of
			now.First, now.Head = log.First(), log.Head()
			return answer{header: now.Header()}
		}
		if err := logread.Check(log, req); err != nil {
			return tell(), err
		}
		if err := s.poll(log, req); err != nil {
			return tell(), err
		}
		reading <- struct{}{}
		defer func() { <-reading }()
		body, err := logread.Frames(ctx, log, req)
		a = tell() // after the frames, so that the head is not before the last of them
		a.body = rawBody(body)
		return a, err
	}}
}

// poll waits for the request's seq if it may and if there is room to wait.
func (s *Service) poll(log logread.Log, req logread.Request) error {
	if !logread.Waits(log, req) {
		return nil
	}
	select {
	case s.logWaiting <- struct{}{}:
		defer func() { <-s.logWaiting }()
		return logread.Wait(s.polls, log, req)
	default:
		return nil
	}
}

// logOf tells which log a store has. That does not change while it is open.
func logOf(ctx context.Context, store *metalog.Store) (logread.State, error) {
	info, err := store.Info(ctx)
	return logread.State{LogID: info.LogID, Epoch: info.Epoch}, err
}
