package views

import (
	"encoding/binary"
	"iter"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// Watermarks tell how far a partition goes. The zero value is that of a
// partition of which nothing was reported yet.
type Watermarks struct {
	HighWatermark  int64
	LeaderEpoch    int32 // under which HighWatermark was reached
	LogStartOffset int64
	Revision       uint64
}

// PartitionWatermarks are the watermarks of one partition.
type PartitionWatermarks struct {
	events.PartitionRef
	Watermarks
}

const watermarksSize = 28

func watermarksKey(topic uuid.UUID, p int32) key {
	return bucketWatermarks.key().partition(topic, p)
}

func (w Watermarks) encode() []byte {
	value := binary.BigEndian.AppendUint64(make([]byte, 0, watermarksSize), uint64(w.HighWatermark))
	value = binary.BigEndian.AppendUint32(value, uint32(w.LeaderEpoch))
	value = binary.BigEndian.AppendUint64(value, uint64(w.LogStartOffset))
	return binary.BigEndian.AppendUint64(value, w.Revision)
}

func decodeWatermarks(value []byte) (Watermarks, error) {
	if len(value) != watermarksSize {
		return Watermarks{}, errBadRow(bucketWatermarks)
	}
	return Watermarks{
		HighWatermark:  int64(binary.BigEndian.Uint64(value)),
		LeaderEpoch:    int32(binary.BigEndian.Uint32(value[8:])),
		LogStartOffset: int64(binary.BigEndian.Uint64(value[12:])),
		Revision:       binary.BigEndian.Uint64(value[20:]),
	}, nil
}

// Watermarks returns the watermarks of a partition, the zero ones when it has
// none or its topic is gone.
func (r *Reader) Watermarks(topic uuid.UUID, p int32) (Watermarks, error) {
	if ok, err := r.reachable(topic); err != nil || !ok {
		return Watermarks{}, err
	}
	return r.watermarksRow(topic, p)
}

func (r *Reader) watermarksRow(topic uuid.UUID, p int32) (Watermarks, error) {
	value, found, err := r.get(watermarksKey(topic, p))
	if err != nil || !found {
		return Watermarks{}, err
	}
	return decodeWatermarks(value)
}

// AllWatermarks yields the watermarks of a topic's partitions in order, where
// there are any, of a topic that is being purged too.
func (r *Reader) AllWatermarks(topic uuid.UUID) iter.Seq2[PartitionWatermarks, error] {
	n := names{r: r}
	return collect(r.scan(bucketWatermarks.key().uuid(topic)), func(e entry) (w PartitionWatermarks, ok bool, err error) {
		parts := keyParts{rest: e.key}
		w.TopicID, w.Partition = parts.uuid(), parts.int32()
		if err := parts.end(bucketWatermarks); err != nil {
			return w, false, err
		}
		if w.Topic, _, err = n.topicName(w.TopicID); err != nil {
			return w, false, err
		}
		w.Watermarks, err = decodeWatermarks(e.value)
		return w, true, err
	})
}

// PutWatermarks sets the watermarks of a partition.
func (tx *Tx) PutWatermarks(topic uuid.UUID, p int32, w Watermarks) error {
	return tx.put(watermarksKey(topic, p), w.encode())
}

// DeleteWatermarks removes the watermarks of a partition.
func (tx *Tx) DeleteWatermarks(topic uuid.UUID, p int32) error {
	return tx.remove(watermarksKey(topic, p))
}
