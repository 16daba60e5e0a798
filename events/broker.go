package events

import (
	"strconv"

	"github.com/google/uuid"
)

// BrokerStatus tells whether a broker may lead partitions.
type BrokerStatus string

// The statuses of a broker.
const (
	BrokerOnline      BrokerStatus = "online"
	BrokerOffline     BrokerStatus = "offline"
	BrokerMaintenance BrokerStatus = "maintenance" // keeps what it has, is elected for nothing new
)

// Endpoint is an address that a broker listens on besides its main one.
type Endpoint struct {
	Name             string `cbor:"1,keyasint" json:"name"`
	Host             string `cbor:"2,keyasint" json:"host"`
	Port             int32  `cbor:"3,keyasint" json:"port"`
	SecurityProtocol string `cbor:"4,keyasint,omitempty" json:"security_protocol,omitempty"`
}

// BrokerInfo is what a broker says of itself when it registers.
type BrokerInfo struct {
	ID            int32      `cbor:"1,keyasint" json:"id"`
	Host          string     `cbor:"2,keyasint" json:"host"`
	Port          int32      `cbor:"3,keyasint" json:"port"`
	Rack          string     `cbor:"4,keyasint,omitempty" json:"rack"`
	Endpoints     []Endpoint `cbor:"5,keyasint,omitempty" json:"endpoints,omitempty"`
	IncarnationID uuid.UUID  `cbor:"6,keyasint" json:"incarnation_id"` // of this run of the broker process
}

// Broker is a member of the cluster.
type Broker struct {
	BrokerInfo
	// Epoch is the seq that last registered the broker or took it offline. A
	// leadership that was gained under an earlier epoch is over.
	Epoch        uint64       `cbor:"10,keyasint" json:"epoch"`
	Status       BrokerStatus `cbor:"11,keyasint" json:"status"`
	RegisteredAt Time         `cbor:"12,keyasint" json:"registered_at"`
	UpdatedAt    Time         `cbor:"13,keyasint" json:"updated_at"`
	Revision     uint64       `cbor:"14,keyasint" json:"revision"`
}

// BrokerRegistered: the broker is online, with a new epoch: this record's seq.
type BrokerRegistered struct {
	BrokerInfo
	Continues bool `cbor:"7,keyasint,omitempty" json:"continues"` // its cascade goes on until CascadeCompleted
}

// BrokerStatusChanged: offline gives a new epoch, this record's seq.
type BrokerStatusChanged struct {
	ID        int32        `cbor:"1,keyasint" json:"id"`
	Status    BrokerStatus `cbor:"2,keyasint" json:"status"`
	Previous  BrokerStatus `cbor:"3,keyasint" json:"previous"`
	Continues bool         `cbor:"4,keyasint,omitempty" json:"continues"` // its cascade goes on until CascadeCompleted
}

// BrokerRemoved: the broker is no member any more.
type BrokerRemoved struct {
	ID        int32 `cbor:"1,keyasint" json:"id"`
	Forced    bool  `cbor:"2,keyasint,omitempty" json:"forced"`    // even if it was still a replica
	Continues bool  `cbor:"3,keyasint,omitempty" json:"continues"` // its cascade goes on until CascadeCompleted
}

func brokerRef(id int32) EntityRef {
	return EntityRef{KindBroker, strconv.FormatInt(int64(id), 10)}
}

// Entity names the broker.
func (b BrokerInfo) Entity() EntityRef { return brokerRef(b.ID) }

func (e *BrokerStatusChanged) Entity() EntityRef { return brokerRef(e.ID) }
func (e *BrokerRemoved) Entity() EntityRef       { return brokerRef(e.ID) }

func (*BrokerRegistered) Type() Type    { return TypeBrokerRegistered }
func (*BrokerStatusChanged) Type() Type { return TypeBrokerStatusChanged }
func (*BrokerRemoved) Type() Type       { return TypeBrokerRemoved }
