package metalog

import (
	"context"
	"slices"
)

// Order is a command with its options.
type Order struct {
	Command Command
	Options CommandOptions
}

// Outcome is what Execute returns for an order.
type Outcome struct {
	Result Result
	Err    error
}

// ExecuteAll does what Execute does, for commands of one operation that came
// together: they are decided in their order, each by itself, one right after the other,
// and all answers are waited for at once. Options.Throttle holds them up once, not one
// after the other.
func (s *Store) ExecuteAll(ctx context.Context, orders []Order) []Outcome {
	outcomes := make([]Outcome, len(orders))
	if len(orders) == 0 {
		return outcomes
	}
	reqs := make([]*request, 0, len(orders))
	places := make([]int, 0, len(orders)) // of their outcomes
	for i, o := range orders {
		req, err := newRequest(o.Command, o.Options)
		if err != nil {
			outcomes[i].Err = err
			continue
		}
		reqs, places = append(reqs, req), append(places, i)
	}
	if len(reqs) == 0 {
		return outcomes
	}
	err := s.throttle(ctx, orders[0].Command)
	if err == nil {
		reqs[0].with = reqs[1:]
		err = s.enqueue(ctx, reqs[0])
	}
	// The last one first: when that is answered, hardly one of the others is not.
	for i, req := range slices.Backward(reqs) {
		if o := &outcomes[places[i]]; err != nil {
			o.Err = err
		} else {
			o.Result, o.Err = req.wait(ctx)
		}
	}
	return outcomes
}
