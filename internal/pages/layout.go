package pages

import (
	"encoding/binary"
	"hash/fnv"
	"os"
)

// The layout of bbolt's pages (its internal/common): a header of id, flags, number of
// elements and number of further pages; then the elements, of 16 bytes each.
const (
	pageHeader = 16
	element    = 16

	branchPage   = 1
	leafPage     = 2
	freelistPage = 16

	bucketElement = 1
	bucketHeader  = 16 // of a bucket's value: its root page, or 0 when the page follows

	metaBytes = 64
	metaMagic = 0xED0CDAED

	maxDepth = 32
)

// meta is what bbolt goes by.
type meta struct {
	pageSize       uint64
	root, freelist uint64 // pages
	count          uint64 // of pages
	txid           uint64
}

// newestMeta reads the meta page that bbolt will go by, and reports whether there is one.
func newestMeta(data []byte) (newest meta, found bool) {
	for i := range 2 {
		at := i*os.Getpagesize() + pageHeader
		if len(data) < at+metaBytes {
			break
		}
		page := data[at : at+metaBytes]
		sum := fnv.New64a()
		_, _ = sum.Write(page[:metaBytes-8]) // never fails
		if binary.NativeEndian.Uint32(page) != metaMagic || binary.NativeEndian.Uint64(page[metaBytes-8:]) != sum.Sum64() {
			continue
		}
		m := meta{
			pageSize: uint64(binary.NativeEndian.Uint32(page[8:])),
			root:     binary.NativeEndian.Uint64(page[16:]),
			freelist: binary.NativeEndian.Uint64(page[32:]),
			count:    binary.NativeEndian.Uint64(page[40:]),
			txid:     binary.NativeEndian.Uint64(page[48:]),
		}
		if !found || m.txid > newest.txid {
			newest, found = m, true
		}
	}
	return newest, found
}

func idOf(page []byte) uint64   { return binary.NativeEndian.Uint64(page) }
func kindOf(page []byte) uint16 { return binary.NativeEndian.Uint16(page[8:]) }

// elementsOf is how many elements a page says that it has.
func elementsOf(page []byte) int { return int(binary.NativeEndian.Uint16(page[10:])) }

// rowAt returns the flags of an element of a leaf that begins at e, and where in e its
// value begins and ends.
func rowAt(e []byte) (flags uint32, value, end uint64) {
	pos, key := uint64(binary.NativeEndian.Uint32(e[4:])), uint64(binary.NativeEndian.Uint32(e[8:]))
	return binary.NativeEndian.Uint32(e), pos + key, pos + key + uint64(binary.NativeEndian.Uint32(e[12:]))
}
