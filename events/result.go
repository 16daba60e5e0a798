package events

import "github.com/google/uuid"

// Result tells what a command did. It follows from the record alone, so a
// repeat of a command id is told the same again, by any projection of the log.
type Result struct {
	Seq    uint64 `cbor:"1,keyasint" json:"seq"`    // of the record; of the state looked at, when Unchanged
	Time   Time   `cbor:"2,keyasint" json:"time"`   // of the record
	Events int    `cbor:"3,keyasint" json:"events"` // in the record; more may follow when Continues
	// What the command could not know before, where it has any of it.
	TopicID     uuid.UUID             `cbor:"4,keyasint,omitzero" json:"topic_id,omitzero"`       // topic created
	Epoch       uint64                `cbor:"5,keyasint,omitempty" json:"epoch,omitempty"`        // broker registered: its epoch
	ProducerIDs *ProducerIDsAllocated `cbor:"6,keyasint,omitempty" json:"producer_ids,omitempty"` // producer ids allocated: the block
	NewEpoch    int16                 `cbor:"8,keyasint,omitempty" json:"new_epoch,omitempty"`    // producer fenced: its epoch
	Continues   bool                  `cbor:"9,keyasint,omitempty" json:"continues,omitempty"`    // a large cascade goes on in further records
	Repeated    bool                  `cbor:"10,keyasint,omitempty" json:"repeated,omitempty"`    // an earlier command of the same id did it
	Unchanged   bool                  `cbor:"11,keyasint,omitempty" json:"unchanged,omitempty"`   // nothing to do: no record was written
}

// ResultOf returns what the command that wrote rec is told.
func ResultOf(rec *Record) Result {
	r := Result{Seq: rec.Seq, Time: rec.Time, Events: len(rec.Facts)}
	for _, f := range rec.Facts {
		if !f.Derived {
			r.take(f.Event, rec.Seq)
		}
	}
	return r
}

func (r *Result) take(event Event, seq uint64) {
	switch e := event.(type) {
	case *TopicCreated:
		r.TopicID = e.ID
	case *BrokerRegistered:
		r.Epoch, r.Continues = seq, r.Continues || e.Continues
	case *ProducerIDsAllocated:
		r.ProducerIDs = e
	case *ProducerFenced:
		r.NewEpoch = e.ProducerEpoch
	case *TopicDeleted:
		r.Continues = r.Continues || e.Purging
	case *GroupDeleted:
		r.Continues = r.Continues || e.Continues
	case *BrokerStatusChanged:
		r.Continues = r.Continues || e.Continues
	case *BrokerRemoved:
		r.Continues = r.Continues || e.Continues
	case *LogStartOffsetAdvanced:
		r.Continues = r.Continues || e.Continues
	}
}
