package events

import "github.com/google/uuid"

// Scope names what a config belongs to: cluster, topic/NAME, broker/ID or
// group/ID. TopicID or GroupID tells namesakes apart.
type Scope struct {
	Of      EntityRef `cbor:"1,keyasint" json:"scope"`
	TopicID uuid.UUID `cbor:"2,keyasint,omitzero" json:"topic_id,omitzero"`
	GroupID uint64    `cbor:"3,keyasint,omitempty" json:"group_id,omitempty"`
}

// Entity names what the config belongs to.
func (s Scope) Entity() EntityRef { return s.Of }

// ConfigEntry is the config of one scope.
type ConfigEntry struct {
	Scope    EntityRef `json:"scope"`
	Config   Config    `json:"config"`
	Revision uint64    `json:"revision"` // 0: nothing was ever set
}

// ConfigSet: the named keys have these values; other keys are as they were.
type ConfigSet struct {
	Scope
	Config Config `cbor:"4,keyasint" json:"config"`
}

// ConfigDeleted: the named keys have no value of their own any more.
type ConfigDeleted struct {
	Scope
	Keys []string `cbor:"4,keyasint" json:"keys"`
}

func (*ConfigSet) Type() Type     { return TypeConfigSet }
func (*ConfigDeleted) Type() Type { return TypeConfigDeleted }
