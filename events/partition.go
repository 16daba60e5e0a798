package events

// Partition is one partition of a topic: who holds it, and how far it goes.
type Partition struct {
	PartitionRef
	Replicas       BrokerIDs `json:"replicas"` // preferred leader first; empty while unassigned
	ISR            BrokerIDs `json:"isr"`      // in-sync replicas
	Leader         int32     `json:"leader"`   // NoLeader: none
	LeaderEpoch    int32     `json:"leader_epoch"`
	PartitionEpoch int32     `json:"partition_epoch"`
	HighWatermark  int64     `json:"high_watermark"`
	LogStartOffset int64     `json:"log_start_offset"`
	Revision       uint64    `json:"revision"` // of the assignment or the watermarks, whichever changed last
}

// Assignment says which brokers hold a partition.
type Assignment struct {
	Replicas          BrokerIDs `cbor:"4,keyasint" json:"replicas"`
	ISR               BrokerIDs `cbor:"5,keyasint" json:"isr"`
	Leader            int32     `cbor:"6,keyasint" json:"leader"`
	LeaderEpoch       int32     `cbor:"7,keyasint" json:"leader_epoch"`
	PartitionEpoch    int32     `cbor:"8,keyasint" json:"partition_epoch"`               // goes up with each change
	LeaderBrokerEpoch uint64    `cbor:"9,keyasint,omitempty" json:"leader_broker_epoch"` // of the leader when it was elected
}

// PartitionAssigned: the partition, held by nobody before, has replicas.
type PartitionAssigned struct {
	PartitionRef
	Assignment
}

// PartitionReassigned: other brokers hold the partition.
type PartitionReassigned struct {
	PartitionRef
	Assignment
}

// LeaderChanged: the partition has another leader, or none.
type LeaderChanged struct {
	PartitionRef
	Leader            int32  `cbor:"4,keyasint" json:"leader"`
	LeaderEpoch       int32  `cbor:"5,keyasint" json:"leader_epoch"`
	PartitionEpoch    int32  `cbor:"6,keyasint" json:"partition_epoch"`
	LeaderBrokerEpoch uint64 `cbor:"7,keyasint,omitempty" json:"leader_broker_epoch"`
}

// IsrChanged: other replicas are in sync.
type IsrChanged struct {
	PartitionRef
	ISR            BrokerIDs `cbor:"4,keyasint" json:"isr"`
	PartitionEpoch int32     `cbor:"5,keyasint" json:"partition_epoch"`
}

// PartitionUnassigned: nobody holds the partition any more.
type PartitionUnassigned struct {
	PartitionRef
}

// HighWatermarkAdvanced: all below HighWatermark is replicated. It goes back
// only with a new leader epoch.
type HighWatermarkAdvanced struct {
	PartitionRef
	HighWatermark int64 `cbor:"4,keyasint" json:"high_watermark"`
	LeaderEpoch   int32 `cbor:"5,keyasint" json:"leader_epoch"` // under which it was reached
}

// LogStartOffsetAdvanced: all below LogStartOffset is gone. It never goes back.
type LogStartOffsetAdvanced struct {
	PartitionRef
	LogStartOffset int64 `cbor:"4,keyasint" json:"log_start_offset"`
	Continues      bool  `cbor:"5,keyasint,omitempty" json:"continues"` // its cascade goes on until CascadeCompleted
}

// WatermarksDeleted: the partition's watermarks went with its topic.
type WatermarksDeleted struct {
	PartitionRef
}

func (*PartitionAssigned) Type() Type      { return TypePartitionAssigned }
func (*PartitionReassigned) Type() Type    { return TypePartitionReassigned }
func (*LeaderChanged) Type() Type          { return TypeLeaderChanged }
func (*IsrChanged) Type() Type             { return TypeIsrChanged }
func (*PartitionUnassigned) Type() Type    { return TypePartitionUnassigned }
func (*HighWatermarkAdvanced) Type() Type  { return TypeHighWatermarkAdvanced }
func (*LogStartOffsetAdvanced) Type() Type { return TypeLogStartOffsetAdvanced }
func (*WatermarksDeleted) Type() Type      { return TypeWatermarksDeleted }
