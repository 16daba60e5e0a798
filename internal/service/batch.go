package service

import (
	"strconv"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// addCommand subscribes to a command, which comes alone or in batches.
func (s *Service) addCommand(op string, store *metalog.Store, slots *slots) error {
	alone := handler(s, s.command(op), store, slots)
	return s.addEndpoint(op, micro.HandlerFunc(func(r micro.Request) {
		if r.Headers().Get(wire.HeaderBatch) == "" {
			alone.Handle(r)
			return
		}
		s.handleBatch(op, store, r, slots)
	}))
}

// maxBatch is how many commands are taken in one request: never more than are
// worked on at a time.
func (s *Service) maxBatch() int { return min(wire.MaxBatch, s.opts.MaxConcurrent) }

// handleBatch works on a batch in a goroutine of its own, as handler does on a
// request. Each command counts.
func (s *Service) handleBatch(op string, store *metalog.Store, r micro.Request, slots *slots) {
	n, err := s.batchSize(r)
	n = max(1, n)
	slots.take(n)
	s.active.Go(func() {
		defer slots.give(n)
		if err != nil {
			s.serve(op, r, func() (answer, error) { return answer{header: s.takesBatches}, named(op, err) })
			return
		}
		s.serveBatch(op, store, r, n)
	})
}

func (s *Service) batchSize(r micro.Request) (int, error) {
	text := r.Headers().Get(wire.HeaderBatch)
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, headerError(wire.HeaderBatch, text, "a number of commands")
	}
	if n > s.maxBatch() {
		return 0, events.Errorf(events.CodeTooLarge, "a batch of %d commands, this server takes %d in one request; split it", n, s.maxBatch())
	}
	return n, refuseAt(r.Headers())
}

// serveBatch answers a batch with what becomes of each of its commands. A request
// that is no batch is refused as a whole, and nothing of it is done.
func (s *Service) serveBatch(op string, store *metalog.Store, r micro.Request, n int) {
	began := time.Now()
	outcomes, err := s.executeBatch(op, store, r.Data(), n)
	a := answer{header: s.takesBatches}
	if err == nil {
		var body []byte
		body, err = wire.EncodeOutcomes(outcomes)
		a.body = rawBody(body)
	}
	took := time.Since(began)
	for _, o := range outcomes {
		s.observe(op, o.Err, took)
	}
	if len(outcomes) == 0 {
		s.observe(op, err, took)
	}
	s.send(op, r, a, err)
}

// executeBatch does the commands of a batch. One that can't be read does not stop
// the others.
func (s *Service) executeBatch(op string, store *metalog.Store, body []byte, n int) ([]metalog.Outcome, error) {
	encoded, err := wire.DecodeBatch(body, n)
	if err != nil {
		return nil, named(op, err)
	}
	outcomes := make([]metalog.Outcome, n)
	orders, places := make([]metalog.Order, 0, n), make([]int, 0, n)
	for i := range encoded {
		order, err := encoded[i].Decode(op)
		if err != nil {
			outcomes[i].Err = err
			continue
		}
		orders, places = append(orders, order), append(places, i)
	}
	for i, o := range store.ExecuteAll(s.ctx, orders) {
		outcomes[places[i]] = o
	}
	return outcomes, nil
}
