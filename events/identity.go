package events

import "github.com/google/uuid"

// Identity tells an entity from its namesakes: a topic that was deleted and
// created again under its name has another one, and so has a group.
type Identity struct {
	Kind    EntityKind
	TopicID uuid.UUID // of a topic
	Number  int64     // of a group: the seq that created it; of a broker or producer: its id
}

// Identified is an event that tells its entity from namesakes. All do but
// [CascadeCompleted], whose cause tells.
type Identified interface{ Identity() Identity }

// Identity of the topic.
func (r TopicRef) Identity() Identity { return Identity{Kind: KindTopic, TopicID: r.ID} }

// Identity of the topic.
func (r PartitionRef) Identity() Identity { return Identity{Kind: KindTopic, TopicID: r.TopicID} }

// Identity of the group.
func (r GroupRef) Identity() Identity { return Identity{Kind: KindGroup, Number: int64(r.GroupID)} }

// Identity of the group.
func (r OffsetRef) Identity() Identity { return Identity{Kind: KindGroup, Number: int64(r.GroupID)} }

// Identity of the producer.
func (r TransactionRef) Identity() Identity {
	return Identity{Kind: KindProducer, Number: r.ProducerID}
}

// Identity of the broker.
func (b BrokerInfo) Identity() Identity { return brokerIdentity(b.ID) }

// Identity of what the config belongs to.
func (s Scope) Identity() Identity {
	id := Identity{Kind: s.Of.Kind, TopicID: s.TopicID, Number: int64(s.GroupID)}
	if s.Of.Kind == KindBroker {
		id.Number, _ = s.Of.Number() // it was checked when the config was set
	}
	return id
}

func brokerIdentity(id int32) Identity { return Identity{Kind: KindBroker, Number: int64(id)} }

var clusterIdentity = Identity{Kind: KindCluster}

func (e *BrokerStatusChanged) Identity() Identity { return brokerIdentity(e.ID) }
func (e *BrokerRemoved) Identity() Identity       { return brokerIdentity(e.ID) }
func (*EpochStarted) Identity() Identity          { return clusterIdentity }
func (*SystemInitialized) Identity() Identity     { return clusterIdentity }
func (*DigestRecorded) Identity() Identity        { return clusterIdentity }
func (*ImportStarted) Identity() Identity         { return clusterIdentity }
func (*ImportCompleted) Identity() Identity       { return clusterIdentity }
func (*ProducerIDsAllocated) Identity() Identity  { return clusterIdentity }

// Ref returns r, for who has an event and not its type.
func (r PartitionRef) Ref() PartitionRef { return r }

// Ref returns r, for who has an event and not its type.
func (r OffsetRef) Ref() OffsetRef { return r }

// Ref returns r, for who has an event and not its type.
func (r TransactionRef) Ref() TransactionRef { return r }

// Ref returns s, for who has an event and not its type.
func (s Scope) Ref() Scope { return s }
