package events_test

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// A record holds an event and what followed from it, and survives its encoding.
func ExampleRecord() {
	topic := uuid.MustParse("0198a1b2-0000-7000-8000-000000000001")
	rec := &events.Record{
		Seq:  42,
		Time: 1_786_000_000_000_000_000,
		Meta: events.Meta{Actor: "alice", CommandID: "cleanup-7"},
		Facts: []events.Fact{
			{Event: &events.TopicDeleted{TopicRef: events.TopicRef{Name: "orders", ID: topic}}, Cause: events.NoCause},
			{
				Event:   &events.PartitionUnassigned{PartitionRef: events.PartitionRef{Topic: "orders", TopicID: topic}},
				Derived: true,
				Cause:   0,
			},
		},
	}
	data, err := events.AppendRecord(nil, rec)
	if err != nil {
		fmt.Println(err)
		return
	}
	decoded, err := events.DecodeRecord(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range decoded.Facts {
		view := decoded.View(i)
		fmt.Printf("%d.%d %s of %s, derived: %t, cause: %v\n", view.Seq, view.Index, view.Type, view.Entity, view.Derived, view.Cause)
	}
	// Output:
	// 42.0 TopicDeleted of topic/orders, derived: false, cause: <nil>
	// 42.1 PartitionUnassigned of topic/orders, derived: true, cause: 42.0
}
