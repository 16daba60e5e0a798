package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

func deleteWorkload(children int) workload {
	return workload{
		kind:    "delete",
		title:   fmt.Sprintf("delete a topic with %d segments while %d clients commit", children, usualClients),
		clients: usualClients,
		columns: []string{"unreachable ms", "purged ms", "others' p99 ms"},
		measure: func(ctx context.Context, r run) ([]float64, error) { return measureDelete(ctx, r, children) },
	}
}

// deletion is what the clients beside it look at.
type deletion struct {
	began, ended atomic.Pointer[time.Time] // nil: not yet
	over         atomic.Bool               // whatever became of it
}

// measureDelete deletes a topic after the warm-up, and measures the others' commits
// that were under way at any time of that.
func measureDelete(ctx context.Context, r run, children int) ([]float64, error) {
	topic := fmt.Sprintf("deleted-%d", r.number)
	if err := r.system.createTopic(ctx, topic, 1); err != nil {
		return nil, err
	}
	if err := r.system.addSegments(ctx, topic, 0, children); err != nil {
		return nil, err
	}
	var d deletion
	var others sync.WaitGroup
	var beside measured
	var besideErr error
	others.Go(func() { beside, besideErr = d.beside(ctx, r) })
	unreachable, purged, err := d.run(ctx, r, topic)
	d.over.Store(true)
	others.Wait()
	if err == nil {
		err = besideErr
	}
	const ms = float64(time.Millisecond)
	return []float64{float64(unreachable) / ms, float64(purged) / ms, float64(beside.latency.ValueAtQuantile(99)) / ms}, err
}

// run deletes the topic, when the others are at it.
func (d *deletion) run(ctx context.Context, r run, topic string) (unreachable, purged time.Duration, err error) {
	select {
	case <-time.After(r.window.warmup):
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	began := time.Now()
	d.began.Store(&began)
	if err := r.system.deleteTopic(ctx, topic); err != nil {
		return 0, 0, err
	}
	unreachable = time.Since(began)
	if err := r.system.awaitPurged(ctx, topic); err != nil {
		return 0, 0, err
	}
	ended := time.Now()
	d.ended.Store(&ended)
	return unreachable, ended.Sub(began), nil
}

// beside has the clients commit until the deletion is over.
func (d *deletion) beside(ctx context.Context, r run) (measured, error) {
	return nothing().with(r.clients, func(client int) (one measured, err error) {
		one = nothing()
		commit := r.commits(client, 1)
		for !d.over.Load() && err == nil {
			began := time.Now()
			if _, err = commit(ctx); d.overlaps(began, time.Now()) {
				record(one.latency, time.Since(began))
			}
		}
		return one, err
	})
}

// overlaps tells whether a commit was under way during the deletion.
func (d *deletion) overlaps(from, to time.Time) bool {
	began, ended := d.began.Load(), d.ended.Load()
	return began != nil && to.After(*began) && (ended == nil || from.Before(*ended))
}
