package publisher

import (
	"maps"
	"strconv"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

// The keys of a stream's metadata. Numbers are decimal.
const (
	metadataLogID = "metalog_log_id"   // UUID of the log
	metadataEpoch = "metalog_epoch"    // of the log
	metadataFork  = "metalog_fork_seq" // the last record of earlier epochs that this one kept; missing in epoch 1
	metadataStart = "metalog_start"    // seq of the record that the stream begins with on purpose; missing: 1
)

// provenance is what a stream's metadata says of where its events come from.
type provenance struct {
	logID uuid.UUID
	epoch uint64
	fork  uint64 // 0 in epoch 1
	start uint64 // 1 or more
}

// originOf reads the metadata. A stream that no publisher made is ErrConflict.
func originOf(c jetstream.StreamConfig) (provenance, error) {
	p := headerParser{get: func(key string) string { return c.Metadata[key] }}
	o := provenance{logID: p.uuid(metadataLogID), epoch: p.number(metadataEpoch, 64), start: 1}
	if c.Metadata[metadataFork] != "" {
		o.fork = p.number(metadataFork, 64)
	}
	if c.Metadata[metadataStart] != "" {
		o.start = p.number(metadataStart, 64)
	}
	if p.err != nil {
		return o, events.Errorf(events.CodeConflict, "stream %s was not made by metalog (%w); choose another cluster name, or delete the stream", c.Name, p.err)
	}
	return o, nil
}

// addTo returns the metadata with what o says.
func (o provenance) addTo(metadata map[string]string) map[string]string {
	m := maps.Clone(metadata)
	if m == nil {
		m = map[string]string{}
	}
	m[metadataLogID] = o.logID.String()
	m[metadataEpoch] = strconv.FormatUint(o.epoch, 10)
	delete(m, metadataFork)
	if o.fork > 0 {
		m[metadataFork] = strconv.FormatUint(o.fork, 10)
	}
	delete(m, metadataStart)
	if o.start > 1 {
		m[metadataStart] = strconv.FormatUint(o.start, 10)
	}
	return m
}
