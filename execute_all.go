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
// together: they are decided in their order, each by itself, and all answers are
// waited for at once. Options.Throttle holds them up once, not one after the other.
func (s *Store) ExecuteAll(ctx context.Context, orders []Order) []Outcome {
	outcomes := make([]Outcome, len(orders))
	if len(orders) == 0 {
		return outcomes
	}
	throttled := s.throttle(ctx, orders[0].Command)
	reqs := make([]*request, len(orders))
	for i, o := range orders {
		if reqs[i], outcomes[i].Err = newRequest(o.Command, o.Options); outcomes[i].Err == nil {
			outcomes[i].Err = throttled
		}
	}
	for i, req := range reqs { // one close after the other, so that they get into one group
		if outcomes[i].Err == nil {
			outcomes[i].Err = s.enqueue(ctx, req)
		}
	}
	// The last one first: when that is answered, hardly one of the others is not.
	for i, req := range slices.Backward(reqs) {
		if outcomes[i].Err == nil {
			outcomes[i].Result, outcomes[i].Err = req.wait(ctx)
		}
	}
	return outcomes
}
