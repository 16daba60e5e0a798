package metalog

import (
	"context"
	"errors"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// flushRows writes rows that were handed over to the views' file, whenever the
// log writer says that there are some.
func (s *Store) flushRows(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.flush:
			if err := s.db.FlushBeside(ctx); err != nil && ctx.Err() == nil {
				s.fail(err)
			}
		}
	}
}

// continueCascades goes on with cascades that took more than a record, those
// from before the last opening first. Other commands come in between.
func (s *Store) continueCascades(ctx context.Context) {
	wake(s.continues)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.continues:
			if err := s.finishCascades(ctx); err != nil {
				s.logUnlessEnding("cascade", err)
			}
		}
	}
}

func (s *Store) finishCascades(ctx context.Context) error {
	cascades, err := Collect(list(ctx, s.queries, (*views.Reader).Cascades))
	if err != nil {
		return err
	}
	for _, c := range cascades {
		for done := false; !done; {
			result, err := s.Execute(ctx, continueCascade{c.Cause}, CommandOptions{Actor: SystemActor})
			if err != nil {
				return err
			}
			done = result.Unchanged
		}
	}
	return nil
}

// sweep expires what has timed out: transactions, and offsets of groups without
// members. It only asks; the sequencer decides, and the log says when it was.
func (s *Store) sweep(ctx context.Context) {
	if s.opts.SweepInterval < 0 {
		return
	}
	transactions := time.NewTicker(s.opts.SweepInterval)
	defer transactions.Stop()
	offsets := time.NewTicker(s.opts.OffsetsCheckInterval)
	defer offsets.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-transactions.C:
			err = s.expireTransactions(ctx)
		case <-offsets.C:
			err = s.expireOffsets(ctx)
		}
		if err != nil {
			s.logUnlessEnding("sweep", err)
		}
	}
}

func (s *Store) expireTransactions(ctx context.Context) error {
	transactions, err := Collect(s.ListTransactions(ctx))
	if err != nil {
		return err
	}
	now := events.TimeOf(s.opts.Clock())
	var errs []error // one that can't be ended must not keep the others
	for _, t := range transactions {
		if t.State == events.TransactionOngoing && now >= t.StartedAt+events.Time(t.TimeoutMs)*1e6 {
			errs = append(errs, s.expireTransaction(ctx, t))
		}
	}
	return errors.Join(errs...)
}

func (s *Store) expireTransaction(ctx context.Context, t events.Transaction) error {
	abort := AbortTransaction{Producer: Producer(t.TransactionRef), TimedOut: true}
	_, err := s.Execute(ctx, abort, CommandOptions{Actor: SystemActor})
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrFenced) {
		return nil // it was ended meanwhile
	}
	return err
}

func (s *Store) expireOffsets(ctx context.Context) error {
	if s.opts.OffsetsRetention < 0 {
		return nil
	}
	before := events.TimeOf(s.opts.Clock().Add(-s.opts.OffsetsRetention))
	groups, err := Collect(s.ListGroups(ctx))
	if err != nil {
		return err
	}
	var errs []error
	for _, g := range groups {
		old, err := s.hasOlder(ctx, g, before)
		if err == nil && old {
			err = s.expireGroup(ctx, ExpireOffsets{Group: g.ID, Before: before})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// hasOlder looks before the sequencer is asked, which everybody waits for.
func (s *Store) hasOlder(ctx context.Context, g events.Group, before events.Time) (bool, error) {
	if len(g.Members) > 0 {
		return false, nil
	}
	return ask(ctx, s.queries, func(r *views.Reader) (bool, error) {
		for o, err := range r.Offsets(g) {
			if err != nil || o.CommittedAt < before {
				return err == nil, err
			}
		}
		return false, nil
	})
}

func (s *Store) expireGroup(ctx context.Context, cmd ExpireOffsets) error {
	for {
		result, err := s.Execute(ctx, cmd, CommandOptions{Actor: SystemActor})
		if errors.Is(err, ErrNotFound) {
			return nil // deleted meanwhile
		}
		if err != nil || result.Unchanged {
			return err
		}
	}
}

// logUnlessEnding logs what went wrong in the background, unless the store has
// stopped or is being closed, which is said elsewhere.
func (s *Store) logUnlessEnding(what string, err error) {
	s.sending.RLock()
	defer s.sending.RUnlock()
	if !s.closed && s.failed() == nil {
		s.opts.Logger.Error(what, "err", err)
	}
}
