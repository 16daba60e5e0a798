package peers

import (
	"context"
	"errors"
	"iter"
)

// Row is a key with its value. Keys are of ASCII letters, digits, '-' and '/', with
// no empty part between slashes: every peer takes them.
type Row struct {
	Key, Value []byte
}

// Batch is what is done at once.
type Batch struct {
	Puts    []Row
	Deletes [][]byte // keys
}

// ErrNotFound is what Get returns for a key that is not there.
var ErrNotFound = errors.New("key not found")

// Store is one peer, open. All methods are safe for concurrent use.
type Store interface {
	// Apply does a batch atomically. On return it is durable. No key is in it twice.
	Apply(ctx context.Context, batch Batch) error
	// DeletePrefix deletes all keys that begin with a prefix, which ends with '/'. On
	// return that is durable.
	DeletePrefix(ctx context.Context, prefix []byte) error
	Get(ctx context.Context, key []byte) ([]byte, error)
	// List calls found for each key with a prefix, which ends with '/'. Key and value
	// are found's only until it returns.
	List(ctx context.Context, prefix []byte, found func(key, value []byte)) error
	// Load puts rows in key order the quickest way there is. They are durable once
	// the store was closed.
	Load(ctx context.Context, rows iter.Seq[Row]) error
	Close() error
}

// Peer is how to open one.
type Peer struct {
	Name string
	Wire bool // clients reach it over the network
	// MaxRows is beyond how many rows loading it takes too long; 0: never.
	MaxRows int
	// Find tells why it can't run here; nil: it always can.
	Find func() error
	// Open opens what is in a directory, or an empty store, for so many clients.
	Open func(ctx context.Context, dir string, clients int) (Store, error)
}

// All are the peers, those in process first.
var All = []Peer{
	{Name: "pebble", Open: openPebble},
	{Name: "bbolt", Open: openBolt},
	{Name: "bbolt-tuned", Open: openTunedBolt},
	{Name: "sqlite", Open: openSQLite},
	{Name: "etcd", Wire: true, MaxRows: 1_000_000, Open: openEtcd},
	{Name: "nats-kv", Wire: true, MaxRows: 1_000_000, Open: openNATS},
	{Name: "postgres", Wire: true, Find: findPostgres, Open: openPostgres},
}

// after is the first key behind all that begin with prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++
	return end
}
