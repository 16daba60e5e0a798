package peers

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// etcdStore is a cluster of one, and its client over the loopback interface.
type etcdStore struct {
	server *embed.Etcd
	client *clientv3.Client
}

const (
	etcdStart    = time.Minute
	etcdTxnOps   = 1024
	etcdQuota    = 8 << 30
	etcdLoaders  = 64
	etcdElection = 100 // ms; a cluster of one elects itself, sooner than after a second
)

func openEtcd(ctx context.Context, dir string, _ int) (Store, error) {
	urls, err := freeURLs(2)
	if err != nil {
		return nil, err
	}
	c := embed.NewConfig()
	c.Dir = filepath.Join(dir, "etcd")
	c.ListenClientUrls, c.AdvertiseClientUrls = urls[:1], urls[:1]
	c.ListenPeerUrls, c.AdvertisePeerUrls = urls[1:], urls[1:]
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.TickMs, c.ElectionMs = etcdElection/10, etcdElection
	c.MaxTxnOps, c.QuotaBackendBytes = etcdTxnOps, etcdQuota
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	s := &etcdStore{}
	if s.server, err = embed.StartEtcd(c); err != nil {
		return nil, err
	}
	if err := s.connect(ctx, urls[0].Host); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *etcdStore) connect(ctx context.Context, address string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, etcdStart)
	defer cancel()
	select {
	case <-s.server.Server.ReadyNotify():
	case err := <-s.server.Err():
		return fmt.Errorf("etcd did not start: %w", err)
	case <-ctx.Done():
		return fmt.Errorf("etcd is not ready: %w", ctx.Err())
	}
	s.client, err = clientv3.New(clientv3.Config{Endpoints: []string{address}, Logger: zap.NewNop()})
	return err
}

// freeURLs are of loopback ports that were free a moment ago.
func freeURLs(n int) (urls []url.URL, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() //nolint:errcheck // nobody connects
		urls = append(urls, url.URL{Scheme: "http", Host: l.Addr().String()})
	}
	return urls, nil
}

func (s *etcdStore) Apply(ctx context.Context, batch Batch) error {
	if len(batch.Puts) == 1 && len(batch.Deletes) == 0 {
		_, err := s.client.Put(ctx, string(batch.Puts[0].Key), string(batch.Puts[0].Value))
		return err
	}
	_, err := s.client.Txn(ctx).Then(etcdOps(batch)...).Commit()
	return err
}

func etcdOps(batch Batch) []clientv3.Op {
	ops := make([]clientv3.Op, 0, len(batch.Puts)+len(batch.Deletes))
	for _, row := range batch.Puts {
		ops = append(ops, clientv3.OpPut(string(row.Key), string(row.Value)))
	}
	for _, key := range batch.Deletes {
		ops = append(ops, clientv3.OpDelete(string(key)))
	}
	return ops
}

func (s *etcdStore) DeletePrefix(ctx context.Context, prefix []byte) error {
	_, err := s.client.Delete(ctx, string(prefix), clientv3.WithPrefix())
	return err
}

func (s *etcdStore) Get(ctx context.Context, key []byte) ([]byte, error) {
	answer, err := s.client.Get(ctx, string(key))
	if err != nil {
		return nil, err
	}
	if len(answer.Kvs) == 0 {
		return nil, ErrNotFound
	}
	return answer.Kvs[0].Value, nil
}

func (s *etcdStore) List(ctx context.Context, prefix []byte, found func(key, value []byte)) error {
	answer, err := s.client.Get(ctx, string(prefix), clientv3.WithPrefix())
	if err != nil {
		return err
	}
	for _, kv := range answer.Kvs {
		found(kv.Key, kv.Value)
	}
	return nil
}

func (s *etcdStore) Load(ctx context.Context, rows iter.Seq[Row]) error {
	batches := make(chan []Row)
	errs := make(chan error, etcdLoaders)
	var loaders sync.WaitGroup
	for range etcdLoaders {
		loaders.Go(func() {
			for rows := range batches {
				if err := s.Apply(ctx, Batch{Puts: rows}); err != nil {
					errs <- err
					for range batches { // so that nobody waits for this loader
					}
					return
				}
			}
		})
	}
	err := inBatches(rows, etcdTxnOps/2, func(rows []Row) error {
		batches <- append([]Row(nil), rows...)
		return ctx.Err()
	})
	close(batches)
	loaders.Wait()
	close(errs)
	for loaderErr := range errs {
		err = errors.Join(err, loaderErr)
	}
	return err
}

func (s *etcdStore) Close() error {
	var err error
	if s.client != nil {
		err = s.client.Close()
	}
	s.server.Close()
	if err != nil && strings.Contains(err.Error(), context.Canceled.Error()) {
		err = nil
	}
	return err
}
