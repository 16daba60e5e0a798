package events

// GroupState is the state of a consumer group, as Kafka names it.
type GroupState string

// The states of a group.
const (
	GroupEmpty               GroupState = "Empty"
	GroupPreparingRebalance  GroupState = "PreparingRebalance"
	GroupCompletingRebalance GroupState = "CompletingRebalance"
	GroupStable              GroupState = "Stable"
	GroupDead                GroupState = "Dead"
)

// Member is a consumer in a group. Metadata and Assignment are the bytes of the
// group's protocol; metalog does not look into them.
type Member struct {
	ID              string `cbor:"1,keyasint" json:"id"`
	GroupInstanceID string `cbor:"2,keyasint,omitempty" json:"group_instance_id,omitempty"`
	ClientID        string `cbor:"3,keyasint,omitempty" json:"client_id"`
	ClientHost      string `cbor:"4,keyasint,omitempty" json:"client_host"`
	Metadata        Bytes  `cbor:"5,keyasint,omitempty" json:"metadata"`
	Assignment      Bytes  `cbor:"6,keyasint,omitempty" json:"assignment"`
}

// GroupInfo is the part of a group that its coordinator keeps.
type GroupInfo struct {
	State        GroupState `cbor:"3,keyasint" json:"state"`
	ProtocolType string     `cbor:"4,keyasint,omitempty" json:"protocol_type"`
	Protocol     string     `cbor:"5,keyasint,omitempty" json:"protocol"`
	Generation   int32      `cbor:"6,keyasint" json:"generation"`
	Leader       string     `cbor:"7,keyasint,omitempty" json:"leader"` // a member's id
	Members      Members    `cbor:"8,keyasint,omitempty" json:"members"`
}

// GroupRef names a group. GroupID is the seq that created it: a group deleted
// and created again under its old id is another group.
type GroupRef struct {
	ID      string `cbor:"1,keyasint" json:"id"`
	GroupID uint64 `cbor:"2,keyasint" json:"group_id"`
}

// Entity names the group.
func (r GroupRef) Entity() EntityRef { return EntityRef{KindGroup, r.ID} }

// Group is a consumer group.
type Group struct {
	GroupRef
	GroupInfo
	CreatedAt Time   `cbor:"10,keyasint" json:"created_at"`
	UpdatedAt Time   `cbor:"11,keyasint" json:"updated_at"`
	Revision  uint64 `cbor:"12,keyasint" json:"revision"`
}

// GroupCreated: a group exists from here on. Its GroupID is this record's seq.
type GroupCreated struct {
	GroupRef
	GroupInfo
}

// GroupUpdated: the group's coordinator state was replaced as a whole.
type GroupUpdated struct {
	GroupRef
	GroupInfo
}

// GroupDeleted: the group and all below it are unreachable from here on.
type GroupDeleted struct {
	GroupRef
	Continues bool `cbor:"3,keyasint,omitempty" json:"continues"` // its cascade goes on until CascadeCompleted
}

func (*GroupCreated) Type() Type { return TypeGroupCreated }
func (*GroupUpdated) Type() Type { return TypeGroupUpdated }
func (*GroupDeleted) Type() Type { return TypeGroupDeleted }
