package pages

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// boltFile is a file with a bucket of some thousand rows, an inline one, an empty one, and
// a row that takes several pages.
func boltFile(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for name, rows := range map[string]int{"many": 5000, "few": 2, "none": 0} {
			b, err := tx.CreateBucket([]byte(name))
			if err != nil {
				return err
			}
			for n := range rows {
				if err := b.Put(fmt.Appendf(nil, "%08d", n), fmt.Appendf(nil, "value of %d", n)); err != nil {
					return err
				}
			}
		}
		return tx.Bucket([]byte("many")).Put([]byte("large"), []byte(strings.Repeat("x", 20_000)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Whatever leads out of a page or of the file is found before bbolt follows it.
func TestCheckPages(t *testing.T) {
	whole := boltFile(t)
	if err := CheckMapped(t.Context(), whole, Rows); err != nil {
		t.Fatalf("a whole file: %v", err)
	}
	for _, empty := range [][]byte{nil, make([]byte, 1<<16)} {
		if err := CheckMapped(t.Context(), empty, Rows); err != nil {
			t.Errorf("no bbolt file, which bbolt finds out: %v", err)
		}
	}
	size := os.Getpagesize()
	used := map[uint16]int{}
	for start := 2 * size; start < len(whole); start += size {
		kind, n := binary.NativeEndian.Uint16(whole[start+8:]), binary.NativeEndian.Uint16(whole[start+10:])
		if binary.NativeEndian.Uint64(whole[start:]) != uint64(start/size) || n == 0 {
			continue // of a page before it, or free
		}
		if used[kind]++; used[kind] > 3 {
			continue
		}
		for what, damage := range damages(kind) {
			data := bytes.Clone(whole)
			damage(data[start : start+size])
			if err := CheckMapped(t.Context(), data, Rows); !errors.Is(err, ErrDamaged) {
				t.Errorf("page %d of kind %d, %s: %v", start/size, kind, what, err)
			}
			inRow := kind == leafPage && n > 1 && strings.HasPrefix(what, "a ") && start != rootOf(whole)
			if err := CheckMapped(t.Context(), data, Headers); errors.Is(err, ErrDamaged) == inRow {
				t.Errorf("page %d of kind %d, %s, by its header: %v", start/size, kind, what, err)
			}
		}
	}
	if used[branchPage] == 0 || used[leafPage] < 3 || used[freelistPage] == 0 {
		t.Errorf("pages by kind: %v", used)
	}
}

// damages are what can be wrong with a page of a kind.
func damages(kind uint16) map[string]func(page []byte) {
	all := map[string]func(page []byte){
		"another id":         func(page []byte) { page[0]++ },
		"another kind":       func(page []byte) { page[8] ^= branchPage | leafPage },
		"elements beyond it": func(page []byte) { binary.NativeEndian.PutUint16(page[10:], 0xFFFE) },
		"further pages":      func(page []byte) { page[15] = 0x7F },
	}
	switch kind {
	case leafPage:
		all["a row outside"] = func(page []byte) { binary.NativeEndian.PutUint32(page[pageHeader+4:], 1<<31) }
		all["a bucket"] = func(page []byte) { page[pageHeader] ^= bucketElement }
	case branchPage:
		all["a key outside"] = func(page []byte) { binary.NativeEndian.PutUint32(page[pageHeader:], 1<<31) }
		all["a child outside"] = func(page []byte) { binary.NativeEndian.PutUint64(page[pageHeader+8:], 1<<40) }
		all["a child that is itself"] = func(page []byte) { copy(page[pageHeader+8:], page[:8]) }
	}
	return all
}

// rootOf is where the root of all begins.
func rootOf(data []byte) int {
	m, _ := newestMeta(data)
	return int(m.root * m.pageSize)
}

func TestCheckIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := CheckMapped(ctx, boltFile(t), Headers); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A page that is cut off faults when it is read.
func TestCheckFileThatIsCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.db")
	whole := boltFile(t)
	for _, size := range []int{len(whole), len(whole) / 2, os.Getpagesize(), 100, 0} {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		err = Check(t.Context(), file, Headers)
		if damaged := size == len(whole)/2 || size == os.Getpagesize(); errors.Is(err, ErrDamaged) != damaged || !damaged && err != nil {
			t.Errorf("%d of %d bytes: %v", size, len(whole), err)
		}
	}
}
