package views

import (
	"encoding/binary"

	"github.com/metalog/metalog/events"
)

// The rows of the cluster bucket, of which there is one each.
var (
	clusterLog       = bucketCluster.key().string("log")       // events.EpochStarted
	clusterProducers = bucketCluster.key().string("producers") // 8 bytes: next producer id
	clusterSystem    = bucketCluster.key().string("system")    // 8 bytes: seq that initialised the system
)

// Log returns what the log's last epoch began with. It is the zero value as long
// as no record was applied.
func (r *Reader) Log() (events.EpochStarted, error) {
	epoch, _, err := load[events.EpochStarted](r, clusterLog)
	return epoch, err
}

// NextProducerID returns the first producer id that was never handed out.
func (r *Reader) NextProducerID() (int64, error) {
	next, err := r.number(clusterProducers)
	return int64(next), err
}

// SystemInitialized reports whether the internal topics were created.
func (r *Reader) SystemInitialized() (bool, error) { return r.has(clusterSystem) }

// number returns the number under k, 0 when there is none.
func (r *Reader) number(k key) (uint64, error) {
	value, found, err := r.get(k)
	if err != nil || !found {
		return 0, err
	}
	if len(value) != 8 {
		return 0, errBadRow(k.bucket())
	}
	return binary.BigEndian.Uint64(value), nil
}

// SetLog notes the beginning of an epoch.
func (tx *Tx) SetLog(epoch events.EpochStarted) error {
	tx.at.CommandWindow = epoch.CommandWindow
	return tx.save(clusterLog, epoch)
}

// SetNextProducerID sets the first producer id that was never handed out.
func (tx *Tx) SetNextProducerID(next int64) error {
	return tx.put(clusterProducers, binary.BigEndian.AppendUint64(nil, uint64(next)))
}

// SetSystemInitialized notes the seq that created the internal topics.
func (tx *Tx) SetSystemInitialized(seq uint64) error {
	return tx.put(clusterSystem, binary.BigEndian.AppendUint64(nil, seq))
}
