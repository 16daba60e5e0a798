package metalog

import (
	"errors"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// The internal topics, as Kafka has them.
const (
	ConsumerOffsetsTopic  = "__consumer_offsets"
	TransactionStateTopic = "__transaction_state"

	internalPartitions        = 50
	internalReplicationFactor = 3
)

func internalConfig() events.Config { return events.Config{"cleanup.policy": "compact"} }

func isInternal(topic string) bool {
	return topic == ConsumerOffsetsTopic || topic == TransactionStateTopic
}

// InitSystem creates the internal topics. Again, it changes nothing.
type InitSystem struct{}

// StartImport marks that what follows comes from another store.
type StartImport struct {
	Source string `json:"source" require:"true"`
}

// CompleteImport marks the end of an import.
type CompleteImport struct {
	Source   string            `json:"source" require:"true"`
	Imported map[string]uint64 `json:"imported,omitempty"` // entities by noun
}

// The commands that the store gives itself.
type (
	// startEpoch is the first command of a new log.
	startEpoch struct {
		LogID  uuid.UUID
		Window uint64
	}
	// recordDigest notes the views' digest in the log.
	recordDigest struct{}
	// continueCascade emits the next part of a cascade too large for a record.
	continueCascade struct{ Cause events.Position }
)

func (InitSystem) Op() string      { return "system.init" }
func (StartImport) Op() string     { return "import.start" }
func (CompleteImport) Op() string  { return "import.complete" }
func (startEpoch) Op() string      { return "log.start-epoch" }
func (recordDigest) Op() string    { return "log.record-digest" }
func (continueCascade) Op() string { return "log.continue-cascade" }

func (InitSystem) validate() error { return nil }

func (c StartImport) validate() error {
	var v checks
	v.text("source", c.Source, MaxTextBytes)
	return v.err
}

func (c CompleteImport) validate() error {
	var v checks
	v.text("source", c.Source, MaxTextBytes)
	return v.err
}

func (startEpoch) validate() error      { return nil }
func (recordDigest) validate() error    { return nil }
func (continueCascade) validate() error { return nil }

func (InitSystem) decide(d *decision) error {
	done, err := d.view.SystemInitialized()
	if err != nil || done {
		return err
	}
	root := d.emit(&events.SystemInitialized{})
	for _, name := range []string{ConsumerOffsetsTopic, TransactionStateTopic} {
		d.derive(root, &events.TopicCreated{
			TopicRef:          events.TopicRef{Name: name, ID: d.newID()},
			Partitions:        internalPartitions,
			ReplicationFactor: internalReplicationFactor,
			Config:            internalConfig(),
			Internal:          true,
		})
	}
	return nil
}

func (c StartImport) decide(d *decision) error {
	d.emit(&events.ImportStarted{Source: c.Source})
	return nil
}

func (c CompleteImport) decide(d *decision) error {
	d.emit(&events.ImportCompleted{Source: c.Source, Imported: c.Imported})
	return nil
}

func (c startEpoch) decide(d *decision) error {
	d.emit(&events.EpochStarted{LogID: c.LogID, Epoch: 1, CommandWindow: c.Window})
	return nil
}

func (recordDigest) decide(d *decision) error {
	d.emit(&events.DigestRecorded{Digest: d.view.Digest(), At: d.seq - 1, SchemaVersion: views.SchemaVersion})
	return nil
}

// decide emits what one record holds of the cascade, and says so when that was
// all of it.
func (c continueCascade) decide(d *decision) error {
	row, err := d.view.CascadeOf(c.Cause)
	if errors.Is(err, ErrNotFound) {
		return nil // another one completed it
	}
	if err != nil {
		return err
	}
	d.cause = &c.Cause
	more, err := d.cascade(events.NoCause, remaining(d.view, row))
	if err != nil || more {
		return err
	}
	d.derive(events.NoCause, completion(row))
	return nil
}
