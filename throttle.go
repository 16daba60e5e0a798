package metalog

import (
	"context"
	"slices"
)

// highRateOps are the operations that brokers and consumers give all the time,
// and may give a little later. All others are of people, of controllers, and of
// transactions' ends, which others wait for.
var highRateOps = []string{
	CommitOffsets{}.Op(),
	CommitTransactionOffsets{}.Op(),
	AdvanceWatermarks{}.Op(),
}

// HighRateOps returns the operations that [Options.Throttle] may hold up:
// commits of offsets, also in transactions, and watermarks. No other ever waits
// for it.
func HighRateOps() []string { return slices.Clone(highRateOps) }

// throttle waits as long as Options.Throttle wants a command to.
func (s *Store) throttle(ctx context.Context, cmd Command) error {
	if s.opts.Throttle == nil || !slices.Contains(highRateOps, cmd.Op()) {
		return nil
	}
	return s.opts.Throttle(ctx)
}
