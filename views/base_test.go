package views

import "testing"

// TestBases: a read uses the transaction of the one before, unless there was a flush in
// between: then it would show too little, and keep pages from being used again.
func TestBases(t *testing.T) {
	db, tx := mustOpen(t)
	put := func(value string) {
		must(t, tx.put(row(1), []byte(value)))
		commit(t, tx)
		must(t, tx.Release())
	}
	put("before")
	first, err := db.Snapshot()
	must(t, err)
	used := first.base
	must(t, first.Close())
	second, err := db.Snapshot()
	must(t, err)
	if second.base != used {
		t.Error("a new transaction without a flush in between")
	}
	must(t, tx.Begin())
	put("after")
	must(t, db.FlushAll(t.Context()))
	if len(db.bases.idle) != 0 {
		t.Errorf("%d transactions from before the flush are kept", len(db.bases.idle))
	}
	must(t, second.Close()) // was open meanwhile: not to be used again
	third, err := db.Snapshot()
	must(t, err)
	if third.base == used || third.base.seq != db.Flushed().Seq {
		t.Errorf("a transaction at seq %d after a flush of seq %d", third.base.seq, db.Flushed().Seq)
	}
	must(t, third.Close())
	must(t, tx.Begin())
}

// TestBasesBounded opens more snapshots at a time than are kept.
func TestBasesBounded(t *testing.T) {
	db, tx := mustOpen(t)
	must(t, tx.Release())
	var open []*Snapshot
	for range maxIdleBases + 1 {
		s, err := db.Snapshot()
		must(t, err)
		open = append(open, s)
	}
	for _, s := range open {
		must(t, s.Close())
	}
	if len(db.bases.idle) != maxIdleBases {
		t.Errorf("%d are kept", len(db.bases.idle))
	}
	must(t, tx.Begin())
}
