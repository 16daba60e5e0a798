package history

import (
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// What keys begin with. A transaction has no events of its own, they are its
// producer's; it has a name only.
const (
	kindTopic       = 't'
	kindGroup       = 'g'
	kindBroker      = 'b'
	kindProducer    = 'p'
	kindCluster     = 'c'
	kindTransaction = 'x'
)

func kindByte(k events.EntityKind) byte {
	switch k {
	case events.KindTopic:
		return kindTopic
	case events.KindGroup:
		return kindGroup
	case events.KindBroker:
		return kindBroker
	case events.KindProducer:
		return kindProducer
	}
	return kindCluster
}

// entityKey begins all keys of an entity.
func entityKey(id events.Identity) []byte {
	k := append(make([]byte, 0, 32), kindByte(id.Kind))
	switch id.Kind {
	case events.KindTopic:
		return append(k, id.TopicID[:]...)
	case events.KindCluster:
		return k
	}
	return binary.BigEndian.AppendUint64(k, uint64(id.Number))
}

// identityOf reads the rest of a key, which ends with an entity.
func identityOf(k []byte) (id events.Identity, ok bool) {
	if len(k) == 0 {
		return id, false
	}
	kind, rest := k[0], k[1:]
	switch kind {
	case kindTopic:
		id.Kind = events.KindTopic
		if len(rest) != len(uuid.UUID{}) {
			return id, false
		}
		copy(id.TopicID[:], rest)
		return id, true
	case kindGroup:
		id.Kind = events.KindGroup
	case kindProducer:
		id.Kind = events.KindProducer
	default:
		return id, false // brokers and the cluster have no names
	}
	if len(rest) != 8 {
		return id, false
	}
	id.Number = int64(binary.BigEndian.Uint64(rest))
	return id, true
}

// nameKey begins the keys of all entities that have had a name.
func nameKey(kind byte, name string) []byte {
	k := append(make([]byte, 0, 32+len(name)), kind)
	k = binary.BigEndian.AppendUint16(k, uint16(len(name)))
	return append(k, name...)
}

// positionKey is that of an event of an entity; also that of an event as a cause,
// when entity is empty.
func positionKey(entity []byte, at events.Position) []byte {
	k := append(make([]byte, 0, 32), entity...)
	k = binary.BigEndian.AppendUint64(k, at.Seq)
	return binary.BigEndian.AppendUint16(k, uint16(at.Index))
}

func positionOf(k []byte) events.Position {
	return events.Position{Seq: binary.BigEndian.Uint64(k), Index: int(binary.BigEndian.Uint16(k[8:]))}
}

const positionBytes = 10

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }
