package views

import (
	"errors"
	"sync"

	"go.etcd.io/bbolt"
)

// base is a read transaction of the file, with what was looked up in it.
type base struct {
	file    *boltFile
	tx      *bbolt.Tx
	seq     uint64                   // the file's in it
	buckets [bucketEnd]*bbolt.Bucket // filled as they are asked for
}

// bucket is called under guard: the root page may be damaged.
func (b *base) bucket(of bucket) *bbolt.Bucket {
	if b.buckets[of] == nil {
		b.buckets[of] = b.tx.Bucket([]byte(of.String()))
	}
	return b.buckets[of]
}

// maxIdleBases bounds how many wait to be used again.
const maxIdleBases = 64

// bases keeps read transactions from one read to the next, because beginning one
// takes longer than most reads. One is only kept while it is as good as a new one, and
// keeps nothing in the file from being used again: from the end of a flush to the
// beginning of the next.
type bases struct {
	sync.Mutex
	closed bool // a flush is under way, or has failed, or the file is being closed
	idle   []*base
}

// openBase returns a read transaction that shows the file as it is now.
func (db *DB) openBase() (*base, error) {
	if b := db.bases.take(); b != nil {
		return b, nil
	}
	file := db.useFile()
	tx, err := file.Begin(false)
	if err != nil {
		file.users.Done()
		return nil, boltError(db.path, err)
	}
	b := &base{file: file, tx: tx}
	if b.seq, err = readSeq(tx); err != nil {
		return nil, errors.Join(err, b.end())
	}
	return b, nil
}

// useFile returns the file that is the newest now. It stays open until its user is done.
func (db *DB) useFile() *boltFile {
	db.bases.Lock()
	defer db.bases.Unlock()
	db.bolt.users.Add(1)
	return db.bolt
}

func (b *base) end() error {
	defer b.file.users.Done()
	return b.tx.Rollback()
}

// closeBase lets go of what openBase returned.
func (db *DB) closeBase(b *base) error {
	if db.bases.keep(b, db) {
		return nil
	}
	return boltError(db.path, b.end())
}

func (p *bases) take() *base {
	p.Lock()
	defer p.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	b := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return b
}

// keep keeps one that is current, if there is room.
func (p *bases) keep(b *base, db *DB) bool {
	p.Lock()
	defer p.Unlock()
	if p.closed || b.seq != db.Flushed().Seq || len(p.idle) == maxIdleBases {
		return false
	}
	p.idle = append(p.idle, b)
	return true
}

// shut ends all that wait, and keeps none until reopen.
func (p *bases) shut() error {
	p.Lock()
	defer p.Unlock()
	p.closed = true
	var errs []error
	for _, b := range p.idle {
		errs = append(errs, b.end())
	}
	clear(p.idle)
	p.idle = p.idle[:0]
	return errors.Join(errs...)
}

func (p *bases) reopen() {
	p.Lock()
	defer p.Unlock()
	p.closed = false
}
