package views

import (
	"math/rand/v2"
	"testing"

	"go.etcd.io/bbolt"
)

// TestPagesAreFilled: rows that come in order leave full pages, and rows that come
// anywhere leave no more empty space than splits at half do.
func TestPagesAreFilled(t *testing.T) {
	const rows = 20_000
	random := rand.New(rand.NewPCG(1, 2)).Perm(rows)
	for name, c := range map[string]struct {
		row  func(n int) int
		want float64
	}{
		"in order":  {func(n int) int { return n }, 0.85},
		"at random": {func(n int) int { return random[n] }, 0.6},
	} {
		db, tx := mustOpen(t)
		for n := range rows {
			k := bucketOffsets.key().uint64(uint64(c.row(n)))
			must(t, tx.put(k, make([]byte, 28)))
			if n%(rows/40) == rows/40-1 {
				commit(t, tx)
				must(t, db.FlushAll(t.Context()))
			}
		}
		must(t, db.bolt.View(func(tx *bbolt.Tx) error {
			s := tx.Bucket([]byte(bucketOffsets.String())).Stats()
			if full := float64(s.LeafInuse) / float64(s.LeafAlloc); full < c.want {
				t.Errorf("%s: the pages are %.2f full, want %.2f", name, full, c.want)
			}
			return nil
		}))
	}
}

// TestFreePagesAreUsedAgain: a file of which each flush changes all has free pages for one,
// though there is always a reader when a flush begins.
func TestFreePagesAreUsedAgain(t *testing.T) {
	c := openToCompact(t, 1<<20)
	c.db.compactor.off = true
	c.put(20_000, 20_000)
	least := size(t, c.opts.Path)
	for range 5 {
		for n := range 20_000 {
			must(t, c.db.Writer().put(c.key(n), make([]byte, 28)))
		}
		c.handOver()
		must(t, c.db.Writer().Begin())
		must(t, c.db.Flush(t.Context()))
		must(t, c.db.Writer().Release())
		must(t, c.db.Writer().Begin())
	}
	if got := size(t, c.opts.Path); float64(got) > 2.3*float64(least) {
		t.Errorf("%.1f times what it was", float64(got)/float64(least))
	}
}
