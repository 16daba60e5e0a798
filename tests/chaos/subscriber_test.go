package chaos

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go/jetstream"
	"go.etcd.io/bbolt"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/publisher"
)

// rareTopic is changed now and then.
const rareTopic = "rare.one"

var filters = map[string]publisher.Filter{
	"all":     {},
	"offsets": {Type: events.TypeOffsetCommitted},
	"rare":    {Aggregate: events.KindTopic, ID: rareTopic},
}

func runSubscriber(ctx context.Context, c partConfig) error {
	s, err := openSubscriber(c)
	if err != nil {
		return err
	}
	return s.run(ctx, 0)
}

// subscriber stores what it reads, and its checkpoint, in a file.
type subscriber struct {
	filter publisher.Filter
	js     jetstream.JetStream
	file   *bbolt.DB
}

var (
	stateBucket   = []byte("state")
	eventsBucket  = []byte("events") // JSON, in the order in which they came
	checkpointKey = []byte("checkpoint")
)

// openSubscriber opens a file that survives SIGKILL: no power is cut here.
func openSubscriber(c partConfig) (*subscriber, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	file, err := bbolt.Open(filepath.Join(c.Dir, "events.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		return nil, err
	}
	s := &subscriber{filter: filters[c.Role], file: file}
	err = file.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(stateBucket)
		if err == nil {
			_, err = tx.CreateBucketIfNotExists(eventsBucket)
		}
		return err
	})
	if err == nil {
		s.js, err = c.connect()
	}
	return s, err
}

// run subscribes until record last is done; 0: without end. What can't be reached
// or is not there yet is tried again, as whoever keeps a program running does.
func (s *subscriber) run(ctx context.Context, last uint64) error {
	for {
		err := s.subscribe(ctx, last)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !errors.Is(err, events.ErrUnavailable) && !errors.Is(err, events.ErrNotFound) {
			return err
		}
	}
}

func (s *subscriber) subscribe(ctx context.Context, last uint64) error {
	at, err := s.checkpoint()
	if err != nil {
		return err
	}
	options := publisher.SubscribeOptions{Cluster: cluster, After: at, Filter: s.filter, Progress: true}
	for m, err := range publisher.Subscribe(ctx, s.js, options) {
		if err == nil {
			err = s.store(m)
		}
		if err != nil {
			return err
		}
		if last > 0 && m.Next().Seq > last {
			return nil
		}
	}
	return nil
}

func (s *subscriber) checkpoint() (at publisher.Checkpoint, err error) {
	err = s.file.View(func(tx *bbolt.Tx) error {
		text := tx.Bucket(stateBucket).Get(checkpointKey)
		if text == nil {
			return nil
		}
		return json.Unmarshal(text, &at)
	})
	return at, err
}

func (s *subscriber) store(m *publisher.Message) error {
	return s.file.Update(func(tx *bbolt.Tx) error {
		all := tx.Bucket(eventsBucket)
		for _, v := range m.Events {
			n, err := all.NextSequence()
			if err != nil {
				return err
			}
			text, err := json.Marshal(v)
			if err != nil {
				return err
			}
			if err := all.Put(binary.BigEndian.AppendUint64(nil, n), text); err != nil {
				return err
			}
		}
		at, err := json.Marshal(m.Checkpoint())
		if err != nil {
			return err
		}
		return tx.Bucket(stateBucket).Put(checkpointKey, at)
	})
}

// stored returns the events in the file, as JSON.
func (s *subscriber) stored() (all []string, err error) {
	err = s.file.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(eventsBucket).ForEach(func(_, text []byte) error {
			all = append(all, string(text))
			return nil
		})
	})
	return all, err
}

func (s *subscriber) close() error {
	s.js.Conn().Close()
	return s.file.Close()
}
