package main

import (
	"context"
	"fmt"
	"time"

	"github.com/metalog/metalog/tests/bench/suite/peers"
)

// keyValue does what workloads ask for with a store of keys and values.
type keyValue struct{ store peers.Store }

func peerCandidate(p peers.Peer) candidate {
	return candidate{name: p.Name, maxRows: p.MaxRows, find: p.Find, open: func(ctx context.Context, dir string, clients int) (system, error) {
		store, err := p.Open(ctx, dir, clients)
		if err != nil {
			return nil, err
		}
		return keyValue{store}, nil
	}}
}

func (s keyValue) load(ctx context.Context, rows shape) error { return s.store.Load(ctx, rows.all()) }

func (s keyValue) commit(ctx context.Context, group, partition, count int, offset int64) error {
	puts := make([]peers.Row, count)
	id, now := groupID(group), time.Now().UnixNano()
	for i := range puts {
		puts[i] = peers.Row{Key: offsetKey(id, (partition+i)%partitions), Value: offsetValue(offset, now)}
	}
	return s.store.Apply(ctx, peers.Batch{Puts: puts})
}

func (s keyValue) createTopic(ctx context.Context, name string, partitions int) error {
	return s.store.Apply(ctx, peers.Batch{Puts: []peers.Row{
		{Key: []byte("t/" + name), Value: fmt.Appendf(nil, `{"partitions":%d,"replication_factor":1,"config":{%q:%q}}`, partitions, configKey, configValue)},
	}})
}

const configKey, configValue = "retention.ms", "604800000"

func segmentPrefix(topic string) []byte { return []byte("s/" + topic + "/") }

func segmentRow(topic string, partition, number int) peers.Row {
	return peers.Row{
		Key:   segmentKey(topic, partition, number),
		Value: fmt.Appendf(nil, `{"start_offset":%d,"end_offset":%d,"size_bytes":%d,"path":%q}`, number, number, segmentBytes, segmentPath(partition, number)),
	}
}

func segmentKey(topic string, partition, number int) []byte {
	return fmt.Appendf(segmentPrefix(topic), "%s", segmentID(partition, number))
}

// What both kinds of system say of a segment.
const segmentBytes = 1 << 30

func segmentID(partition, number int) string { return fmt.Sprintf("%05d-%012d", partition, number) }

func segmentPath(partition, number int) string {
	return "bucket/data/" + segmentID(partition, number) + ".log"
}

func (s keyValue) addSegments(ctx context.Context, topic string, first, count int) error {
	const most = 1000 // that every peer takes at once
	for count > 0 {
		puts := make([]peers.Row, min(count, most))
		for i := range puts {
			puts[i] = segmentRow(topic, 0, first+i)
		}
		if err := s.store.Apply(ctx, peers.Batch{Puts: puts}); err != nil {
			return err
		}
		first, count = first+len(puts), count-len(puts)
	}
	return nil
}

func (s keyValue) rollSegment(ctx context.Context, topic string, partition, added, removed int) error {
	batch := peers.Batch{Puts: []peers.Row{segmentRow(topic, partition, added)}}
	if removed >= 0 {
		batch.Deletes = [][]byte{segmentKey(topic, partition, removed)}
	}
	return s.store.Apply(ctx, batch)
}

// deleteTopic deletes the topic's row first: its segments can't be reached then.
func (s keyValue) deleteTopic(ctx context.Context, name string) error {
	return s.store.Apply(ctx, peers.Batch{Deletes: [][]byte{[]byte("t/" + name)}})
}

func (s keyValue) awaitPurged(ctx context.Context, name string) error {
	return s.store.DeletePrefix(ctx, segmentPrefix(name))
}

func (s keyValue) read(ctx context.Context, group, partition int) error {
	value, err := s.store.Get(ctx, offsetKey(groupID(group), partition))
	if err != nil {
		return err
	}
	_, err = offsetOf(value)
	return err
}

func (s keyValue) list(ctx context.Context, group int) (n int, err error) {
	var valueErr error
	err = s.store.List(ctx, offsetPrefix(groupID(group)), func(_, value []byte) {
		n++
		if _, err := offsetOf(value); err != nil {
			valueErr = err
		}
	})
	if err == nil {
		err = valueErr
	}
	return n, err
}

func (s keyValue) Close(context.Context) error { return s.store.Close() }
