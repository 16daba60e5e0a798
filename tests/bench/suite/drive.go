package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// window is when to measure: after the warm-up, for so long.
type window struct {
	warmup, length time.Duration
}

// operation does one thing, and tells for how many it counts.
type operation func(ctx context.Context) (int, error)

// measured is what clients did in a window.
type measured struct {
	perSecond float64
	latency   *hdrhistogram.Histogram // nanoseconds
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, time.Minute.Nanoseconds(), 2)
}

// drive has clients do operations one after the other, until the window ends. Each has
// an operation of its own.
func drive(ctx context.Context, w window, clients int, newOperation func(client int) operation) (measured, error) {
	begin := time.Now().Add(w.warmup)
	return nothing().with(clients, func(client int) (measured, error) {
		return repeat(ctx, begin, begin.Add(w.length), newOperation(client))
	})
}

func nothing() measured { return measured{latency: newHistogram()} }

// with runs clients at once, and adds what they measured.
func (m measured) with(clients int, do func(client int) (measured, error)) (measured, error) {
	errs := make([]error, clients)
	var mu sync.Mutex // guards m
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			one, err := do(client)
			errs[client] = err
			mu.Lock()
			defer mu.Unlock()
			m.perSecond += one.perSecond
			m.latency.Merge(one.latency)
		})
	}
	all.Wait()
	return m, firstOf(errs)
}

// repeat does an operation until begin, and then, measured, until end. What is under
// way at either belongs to what was before: so the time is of whole operations, and
// one at least.
func repeat(ctx context.Context, begin, end time.Time, do operation) (measured, error) {
	m := nothing()
	last := time.Now()
	for last.Before(begin) {
		if _, err := do(ctx); err != nil {
			return m, err
		}
		last = time.Now()
	}
	count, first := 0, last
	for {
		n, err := do(ctx)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return m, err
		}
		now := time.Now()
		count += n
		record(m.latency, now.Sub(last))
		last = now
		if !now.Before(end) {
			m.perSecond = float64(count) / now.Sub(first).Seconds()
			return m, nil
		}
	}
}

// record notes a latency, one beyond the scale as its end.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(d.Nanoseconds(), h.HighestTrackableValue())) // in range
}

func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(errs...)
}

// values are those of the usual columns: per second, p50 and p99 in
// microseconds. Each operation is of so many rows.
func (m measured) values(each int) []float64 {
	return []float64{
		m.perSecond * float64(each),
		float64(m.latency.ValueAtQuantile(50)) / 1e3,
		float64(m.latency.ValueAtQuantile(99)) / 1e3,
	}
}
