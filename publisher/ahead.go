package publisher

import (
	"context"
	"iter"
	"sync"

	"github.com/metalog/metalog/events"
)

// aheadRecords is how many records are read and decoded before they are wanted.
const aheadRecords = 64

// readAhead is source.Records with a goroutine of its own that reads and decodes.
func readAhead(ctx context.Context, source events.Reader, from uint64) iter.Seq2[*events.Record, error] {
	type read struct {
		rec *events.Record
		err error
	}
	return func(yield func(*events.Record, error) bool) {
		reading, cancel := context.WithCancel(ctx)
		ready := make(chan read, aheadRecords)
		var reader sync.WaitGroup
		defer reader.Wait()
		defer cancel()
		reader.Go(func() {
			defer close(ready)
			for rec, err := range source.Records(reading, from) {
				select {
				case ready <- read{rec, err}:
				case <-reading.Done():
					return
				}
			}
		})
		for r := range ready {
			if !yield(r.rec, r.err) {
				return
			}
		}
	}
}
