package events

import (
	"reflect"
	"testing"

	"github.com/google/uuid"
)

func TestResultOf(t *testing.T) {
	id := uuid.UUID{1}
	for name, tc := range map[string]struct {
		event Event
		want  Result
	}{
		"topic created":         {&TopicCreated{TopicRef: TopicRef{ID: id}}, Result{TopicID: id}},
		"topic deleted":         {&TopicDeleted{Purging: true}, Result{Continues: true}},
		"broker registered":     {&BrokerRegistered{Continues: true}, Result{Epoch: 9, Continues: true}},
		"broker status":         {&BrokerStatusChanged{Continues: true}, Result{Continues: true}},
		"broker removed":        {&BrokerRemoved{Continues: true}, Result{Continues: true}},
		"group deleted":         {&GroupDeleted{Continues: true}, Result{Continues: true}},
		"log start":             {&LogStartOffsetAdvanced{Continues: true}, Result{Continues: true}},
		"producer ids":          {&ProducerIDsAllocated{FirstID: 1000, Count: 10}, Result{ProducerIDs: &ProducerIDsAllocated{FirstID: 1000, Count: 10}}},
		"producer fenced":       {&ProducerFenced{TransactionRef{ProducerEpoch: 3}}, Result{NewEpoch: 3}},
		"nothing to tell of it": {&OffsetDeleted{}, Result{}},
	} {
		t.Run(name, func(t *testing.T) {
			// A derived event is nothing that the command asked for.
			rec := &Record{Seq: 9, Time: 5, Facts: []Fact{
				{Event: tc.event, Cause: NoCause},
				{Event: &TopicCreated{TopicRef: TopicRef{ID: uuid.UUID{2}}}, Derived: true, Cause: 0},
			}}
			tc.want.Seq, tc.want.Time, tc.want.Events = 9, 5, 2
			if got := ResultOf(rec); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
