package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/metalog/metalog/internal/benchlog"
)

// BenchmarkGrowthBolt is what bbolt takes by itself, with nothing beside it, to overwrite
// offsets of the views' file at random, as many in a synced transaction as a flush has at
// most: no store with views in it can take in more for long.
func BenchmarkGrowthBolt(b *testing.B) {
	for _, rows := range rowCounts() {
		for _, atOnce := range []int{4096, 16_384} {
			b.Run(fmt.Sprintf("rows=%d/at-once=%d", rows, atOnce), func(b *testing.B) {
				db := openCopy(b, rows)
				keys := someKeys(b, db, rows)
				for b.Loop() {
					if err := overwrite(db, keys, atOnce); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*atOnce)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

// openCopy opens a copy of the views' file of a store with so many offsets.
func openCopy(b *testing.B, rows int) *bbolt.DB {
	b.Helper()
	dir := benchlog.Clone(b, benchlog.Shape{Rows: rows})
	syscall.Sync() // the copy is not to be written while it is measured
	db, err := bbolt.Open(filepath.Join(dir, "views.db"), 0o600, &bbolt.Options{InitialMmapSize: 4 << 30})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db
}

var offsetsBucket = []byte("offsets")

// someKeys are of offsets from all over the bucket.
func someKeys(b *testing.B, db *bbolt.DB, rows int) (keys [][]byte) {
	b.Helper()
	every := max(1, rows/1_000_000)
	n := 0
	err := db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(offsetsBucket).ForEach(func(k, _ []byte) error {
			if n++; n%every == 0 {
				keys = append(keys, bytes.Clone(k))
			}
			return nil
		})
	})
	if err != nil || len(keys) == 0 {
		b.Fatal(len(keys), err)
	}
	return keys
}

func overwrite(db *bbolt.DB, keys [][]byte, atOnce int) error {
	chosen := make([][]byte, atOnce)
	for i := range chosen {
		chosen[i] = keys[rand.IntN(len(keys))]
	}
	slices.SortFunc(chosen, bytes.Compare)
	return db.Update(func(tx *bbolt.Tx) error {
		offsets := tx.Bucket(offsetsBucket)
		for _, k := range chosen {
			if err := offsets.Put(k, make([]byte, 28)); err != nil {
				return err
			}
		}
		return nil
	})
}
