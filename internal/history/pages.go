package history

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// openChecked opens a bbolt file, and looks at its pages if nobody else has it open.
// bbolt takes what a page says of places and lengths as it is. Where that leads out of
// the file it has pointers to memory of something else, over which the program ends, and
// no guard helps. So this is done before, on bytes that were read. That what stands in
// the pages makes sense is looked at later, see whole.
func openChecked(name string, flag int, mode os.FileMode) (*os.File, error) {
	file, err := os.OpenFile(name, flag, mode)
	if err != nil {
		return nil, err
	}
	// bbolt locks the same open file again, which changes nothing.
	if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		if err := checkPages(file); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	return file, nil
}

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

// pages is one look at all pages that are in use.
type pages struct {
	file  io.ReaderAt
	size  int64  // of a page
	count uint64 // of the file, as its meta page says
	left  uint64 // how many may still be visited: each is in one place
}

func checkPages(file io.ReaderAt) error {
	p, root, freelist := newestMeta(file)
	if p == nil {
		return nil // bbolt says what is wrong
	}
	if err := p.freelist(freelist); err != nil {
		return err
	}
	return p.visit(root, maxDepth, true)
}

// newestMeta reads the meta page that bbolt will go by. It is nil when there is none.
func newestMeta(file io.ReaderAt) (p *pages, root, freelist uint64) {
	var newest uint64
	for i := range int64(2) {
		meta := make([]byte, pageHeader+metaBytes)
		if _, err := file.ReadAt(meta, i*int64(os.Getpagesize())); err != nil {
			continue
		}
		meta = meta[pageHeader:]
		sum := fnv.New64a()
		_, _ = sum.Write(meta[:metaBytes-8]) // never fails
		if binary.NativeEndian.Uint32(meta) != metaMagic || binary.NativeEndian.Uint64(meta[metaBytes-8:]) != sum.Sum64() {
			continue
		}
		if txid := binary.NativeEndian.Uint64(meta[48:]); p == nil || txid > newest {
			newest = txid
			root, freelist = binary.NativeEndian.Uint64(meta[16:]), binary.NativeEndian.Uint64(meta[32:])
			count := binary.NativeEndian.Uint64(meta[40:])
			p = &pages{file: file, size: int64(binary.NativeEndian.Uint32(meta[8:])), count: count, left: count}
		}
	}
	return p, root, freelist
}

// read reads a page with those that belong to it.
func (p *pages) read(id uint64) ([]byte, error) {
	if p.left == 0 || id < 2 || id >= p.count {
		return nil, damaged("page %d is named, of %d", id, p.count)
	}
	p.left--
	header := make([]byte, pageHeader)
	if _, err := p.file.ReadAt(header, int64(id)*p.size); err != nil {
		return nil, damaged("page %d: %v", id, err)
	}
	more := uint64(binary.NativeEndian.Uint32(header[12:]))
	if binary.NativeEndian.Uint64(header) != id || more >= p.count-id {
		return nil, damaged("page %d is another one", id)
	}
	page := make([]byte, int64(more+1)*p.size)
	if _, err := p.file.ReadAt(page, int64(id)*p.size); err != nil {
		return nil, damaged("page %d: %v", id, err)
	}
	return page, nil
}

// freelist checks the list of pages that are free.
func (p *pages) freelist(id uint64) error {
	page, err := p.read(id)
	if err != nil {
		return err
	}
	const long = 0xFFFF // the number stands before the list then
	n, room := uint64(binary.NativeEndian.Uint16(page[10:])), uint64(len(page)-pageHeader)/8
	if n == long {
		n = binary.NativeEndian.Uint64(page[pageHeader:])
		room--
	}
	if binary.NativeEndian.Uint16(page[8:]) != freelistPage || n > room {
		return damaged("page %d is no list of free pages", id)
	}
	return nil
}

// visit checks a page and all below it. Only the root of all has buckets.
func (p *pages) visit(id uint64, depth int, top bool) error {
	page, err := p.read(id)
	if err == nil && depth == 0 {
		err = damaged("page %d is too far from the root", id)
	}
	if err != nil {
		return err
	}
	return p.elements(page, id, depth, top)
}

func (p *pages) elements(page []byte, id uint64, depth int, top bool) error {
	kind, n := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if kind != branchPage && kind != leafPage || pageHeader+n*element > len(page) {
		return damaged("page %d: kind %d with %d elements", id, kind, n)
	}
	for i := range n {
		at := pageHeader + i*element
		var err error
		if kind == branchPage {
			err = p.branch(page[at:], depth, top)
		} else {
			err = p.leaf(page[at:], depth, top)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// branch checks an element that begins at e: place and length of its key, and its page.
func (p *pages) branch(e []byte, depth int, top bool) error {
	pos, key := uint64(binary.NativeEndian.Uint32(e)), uint64(binary.NativeEndian.Uint32(e[4:]))
	if pos+key > uint64(len(e)) {
		return damaged("a key lies outside of its page")
	}
	return p.visit(binary.NativeEndian.Uint64(e[8:]), depth-1, top)
}

// leaf checks an element that begins at e: flags, place, lengths of key and value.
func (p *pages) leaf(e []byte, depth int, top bool) error {
	flags, pos := binary.NativeEndian.Uint32(e), uint64(binary.NativeEndian.Uint32(e[4:]))
	key, value := uint64(binary.NativeEndian.Uint32(e[8:])), uint64(binary.NativeEndian.Uint32(e[12:]))
	end := pos + key + value
	switch {
	case end > uint64(len(e)):
		return damaged("a row lies outside of its page")
	case flags == 0 && !top:
		return nil
	case flags != bucketElement || !top || value < bucketHeader:
		return damaged("a row is marked as a bucket, or a bucket as a row")
	}
	header := e[pos+key : end]
	if root := binary.NativeEndian.Uint64(header); root != 0 {
		return p.visit(root, depth-1, false)
	}
	if len(header) < bucketHeader+pageHeader {
		return damaged("a bucket is cut off")
	}
	return p.elements(header[bucketHeader:], 0, depth, false)
}
