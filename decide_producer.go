package metalog

import "github.com/metalog/metalog/events"

// MaxProducerIDBlock is how many producer ids one allocation may take.
const MaxProducerIDBlock = 1_000_000

// AllocateProducerIDs reserves a block of producer ids. The block is in the
// result, and logged before any of its ids can be handed out.
type AllocateProducerIDs struct {
	Count int64 `json:"count,omitempty"` // 0: 1000, as Kafka
}

func (AllocateProducerIDs) Op() string { return "producer.allocate-ids" }

func (c AllocateProducerIDs) validate() error {
	var v checks
	v.within("count", c.Count, 0, MaxProducerIDBlock)
	return v.err
}

func (c AllocateProducerIDs) decide(d *decision) error {
	next, err := d.view.NextProducerID()
	if err != nil {
		return err
	}
	count := c.Count
	if count == 0 {
		count = 1000
	}
	if next > 1<<63-1-count {
		return events.Errorf(events.CodeOutOfRange, "there are no %d producer ids left", count)
	}
	d.emit(&events.ProducerIDsAllocated{FirstID: next, Count: count})
	return nil
}
