package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// natsStore is a JetStream KV bucket in a server of its own, and a client over the
// loopback interface. A batch of several keys is an atomic batch of the stream
// behind the bucket, since KV itself has none.
type natsStore struct {
	server *server.Server
	dir    string
	nc     *nats.Conn
	js     jetstream.JetStream
	kv     jetstream.KeyValue
}

const (
	natsBucket  = "rows"
	natsStream  = "KV_" + natsBucket
	natsSubject = "$KV." + natsBucket + "."
	natsStart   = time.Minute
	natsBatches = 1000 // under way at a time; more than there are clients
)

func openNATS(ctx context.Context, dir string, _ int) (Store, error) {
	s := &natsStore{dir: dir}
	if err := s.start(ctx, true); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// start runs the server. Without sync it acknowledges what is in memory.
func (s *natsStore) start(ctx context.Context, sync bool) (err error) {
	s.server, err = server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: s.dir, SyncAlways: sync, DisableJetStreamBanner: true,
		JetStreamLimits: server.JSLimitOpts{MaxBatchInflightPerStream: natsBatches},
	})
	if err != nil {
		return err
	}
	s.server.Start()
	if !s.server.ReadyForConnections(natsStart) {
		return fmt.Errorf("the NATS server was not ready after %v", natsStart)
	}
	if s.nc, err = nats.Connect(s.server.ClientURL()); err != nil {
		return err
	}
	if s.js, err = jetstream.New(s.nc, jetstream.WithPublishAsyncMaxPending(4096)); err != nil {
		return err
	}
	s.kv, err = s.bucket(ctx)
	return err
}

func (s *natsStore) bucket(ctx context.Context) (jetstream.KeyValue, error) {
	kv, err := s.js.KeyValue(ctx, natsBucket)
	if !errors.Is(err, jetstream.ErrBucketNotFound) {
		return kv, err
	}
	kv, err = s.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: natsBucket, Storage: jetstream.FileStorage})
	if err != nil {
		return nil, err
	}
	stream, err := s.js.Stream(ctx, natsStream)
	if err != nil {
		return nil, err
	}
	config := stream.CachedInfo().Config
	config.AllowAtomicPublish = true
	_, err = s.js.UpdateStream(ctx, config)
	return kv, err
}

// natsKey makes parts of keys tokens, so that a prefix is a filter.
func natsKey(key []byte) string { return strings.ReplaceAll(string(key), "/", ".") }

func (s *natsStore) Apply(ctx context.Context, batch Batch) error {
	if len(batch.Puts) == 1 && len(batch.Deletes) == 0 {
		_, err := s.kv.Put(ctx, natsKey(batch.Puts[0].Key), batch.Puts[0].Value)
		return err
	}
	var messages []*nats.Msg
	for _, row := range batch.Puts {
		messages = append(messages, &nats.Msg{Subject: natsSubject + natsKey(row.Key), Data: row.Value, Header: nats.Header{}})
	}
	for _, key := range batch.Deletes {
		messages = append(messages, &nats.Msg{Subject: natsSubject + natsKey(key), Header: nats.Header{"KV-Operation": {"DEL"}}})
	}
	return s.publishBatch(ctx, messages)
}

// publishBatch publishes messages atomically: only the last one is answered.
func (s *natsStore) publishBatch(ctx context.Context, messages []*nats.Msg) error {
	id := nuid.Next()
	last := len(messages) - 1
	for i, m := range messages {
		m.Header.Set("Nats-Batch-Id", id)
		m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
		if i < last {
			if err := s.nc.PublishMsg(m); err != nil {
				return err
			}
		}
	}
	messages[last].Header.Set("Nats-Batch-Commit", "1")
	answer, err := s.nc.RequestMsgWithContext(ctx, messages[last])
	if err != nil {
		return err
	}
	var ack struct {
		Error *jetstream.APIError `json:"error"`
		Count int                 `json:"count"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return err
	}
	if ack.Error != nil {
		return ack.Error
	}
	if ack.Count != len(messages) {
		return fmt.Errorf("NATS took %d messages of %d in a batch", ack.Count, len(messages))
	}
	return nil
}

func (s *natsStore) DeletePrefix(ctx context.Context, prefix []byte) error {
	stream, err := s.js.Stream(ctx, natsStream)
	if err != nil {
		return err
	}
	return stream.Purge(ctx, jetstream.WithPurgeSubject(natsSubject+natsKey(prefix)+">"))
}

func (s *natsStore) Get(ctx context.Context, key []byte) ([]byte, error) {
	entry, err := s.kv.Get(ctx, natsKey(key))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return entry.Value(), nil
}

func (s *natsStore) List(ctx context.Context, prefix []byte, found func(key, value []byte)) error {
	watcher, err := s.kv.Watch(ctx, natsKey(prefix)+">", jetstream.IgnoreDeletes())
	if err != nil {
		return err
	}
	for entry := range watcher.Updates() {
		if entry == nil { // all that is there now was told
			break
		}
		found([]byte(strings.ReplaceAll(entry.Key(), ".", "/")), entry.Value())
	}
	return watcher.Stop()
}

// Load fills the bucket while the server does not sync; closing it does.
func (s *natsStore) Load(ctx context.Context, rows iter.Seq[Row]) error {
	if err := s.restart(ctx, false); err != nil {
		return err
	}
	for row := range rows {
		m := &nats.Msg{Subject: natsSubject + natsKey(row.Key), Data: bytes.Clone(row.Value)}
		if _, err := s.js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			return err
		}
	}
	select {
	case <-s.js.PublishAsyncComplete():
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.restart(ctx, true)
}

func (s *natsStore) restart(ctx context.Context, sync bool) error {
	if err := s.Close(); err != nil {
		return err
	}
	return s.start(ctx, sync)
}

func (s *natsStore) Close() error {
	if s.nc != nil {
		s.nc.Close()
	}
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
	return nil
}
