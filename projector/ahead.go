package projector

import (
	"context"
	"iter"

	"github.com/metalog/metalog/events"
)

// The bounds of what is read ahead: some 4 MB of records.
const (
	aheadRecords = 1024 // of a batch
	aheadEvents  = 4096 // of a batch; the last record may be beyond
	aheadBatches = 4    // that wait
)

// batch is a run of records, or the error that ends them.
type batch struct {
	records []*events.Record
	err     error
}

// readAhead yields the records from seq from to seq to. Reading and decoding is done
// by a goroutine of its own, so that it takes another processor than what is done with
// the records. That goroutine has ended when the loop has.
func readAhead(ctx context.Context, log events.Reader, from, to uint64) iter.Seq2[*events.Record, error] {
	return func(yield func(*events.Record, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		batches := make(chan batch, aheadBatches)
		go read(ctx, log, from, to, batches)
		defer func() {
			stop()
			for range batches { // until it is closed: nobody reads the log any more
			}
		}()
		for b := range batches {
			for _, rec := range b.records {
				if !yield(rec, nil) {
					return
				}
			}
			if b.err != nil {
				yield(nil, b.err)
				return
			}
		}
	}
}

// read sends records until there are no more, or ctx is done, which is an error too.
// It relies on all being received.
func read(ctx context.Context, log events.Reader, from, to uint64, out chan<- batch) {
	defer close(out)
	var b batch
	count := 0 // events of b
	for rec, err := range log.Records(ctx, from) {
		if err != nil {
			b.err = err
			break
		}
		b.records = append(b.records, rec)
		if rec.Seq >= to {
			break
		}
		if count += len(rec.Facts); len(b.records) < aheadRecords && count < aheadEvents {
			continue
		}
		out <- b
		b, count = batch{records: make([]*events.Record, 0, len(b.records))}, 0
		if b.err = ctx.Err(); b.err != nil {
			break
		}
	}
	out <- b
}
