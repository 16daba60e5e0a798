package views

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// runs are the buckets whose new rows may come after all others, or after all those with
// the same first bytes of their keys: how many bytes.
var runs = map[bucket]int{
	bucketCommandsBySeq:  0,
	bucketOffsets:        0,  // of a new group
	bucketOffsetsByTopic: 16, // of a new group, in each topic
}

const (
	// runFill is how full bbolt leaves the pages that it splits where rows come in runs:
	// nothing will be inserted into those later. Where rows come anywhere, that leaves pages
	// a third full after many splits, and half, the default, two thirds.
	runFill     = 0.9
	sampleEvery = 16 // rows: of one is found out where it comes
)

// bucketWriter writes rows into a bucket, in order of key.
type bucketWriter struct {
	*bbolt.Bucket
	bucket      bucket
	run         int // as in runs; -1: there are none
	rows        int // written
	added, last int // of the rows that were looked at: new ones, and those that came last in their run
}

func newBucketWriter(tx *bbolt.Tx, b bucket) *bucketWriter {
	w := &bucketWriter{Bucket: tx.Bucket([]byte(b.String())), bucket: b, run: -1}
	if run, ok := runs[b]; ok {
		w.run = run
	}
	return w
}

// write sets a row, or deletes it if value is nil.
func (w *bucketWriter) write(k, value []byte) error {
	if value == nil {
		return w.Delete(k)
	}
	if w.run >= 0 && w.rows%sampleEvery == 0 {
		w.sample(k)
	}
	w.rows++
	return w.Put(k, value)
}

func (w *bucketWriter) sample(k []byte) {
	next, _ := w.Cursor().Seek(k)
	if bytes.Equal(next, k) {
		return
	}
	w.added++
	if next == nil || !bytes.HasPrefix(next, k[:w.run]) {
		w.last++
	}
}

// end is called after the last row, before the transaction splits pages.
func (w *bucketWriter) end() {
	if w != nil && w.last > w.added/2 {
		w.FillPercent = runFill
	}
}
