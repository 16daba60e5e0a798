package pages

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Depth is what is looked at.
type Depth bool

const (
	// Headers is what pages say that they are, their branches, and of each leaf the last
	// row: a million rows take about 10 ms.
	Headers Depth = false
	// Rows is where each row lies besides.
	Rows Depth = true
)

// ErrDamaged is wrapped by errors that name a page which makes no sense.
var ErrDamaged = errors.New("damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Check looks at all pages of a file that are in use. It is ErrDamaged if one of them makes
// no sense. A file that is none of bbolt's is left to that. Nobody may write to the file
// meanwhile.
func Check(ctx context.Context, file *os.File, depth Depth) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return &os.PathError{Op: "mmap", Path: file.Name(), Err: err}
	}
	defer unix.Munmap(data) //nolint:errcheck // it was mapped
	return CheckMapped(ctx, data, depth)
}

// CheckMapped is Check of a file that is mapped: to map a large one and let go of it takes
// longer than the rest.
func CheckMapped(ctx context.Context, data []byte, depth Depth) error {
	w := walk{ctx: ctx, data: data, depth: depth}
	err := Guard(func() error {
		var found bool
		if w.meta, found = newestMeta(data); !found || w.pageSize < pageHeader || w.pageSize > uint64(len(data)) {
			return nil // bbolt says what is wrong
		}
		w.count, w.left = min(w.count, uint64(len(data))/w.pageSize), w.count
		if err := w.checkFreelist(); err != nil {
			return err
		}
		return w.visit(w.root, maxDepth)
	})
	if err != nil {
		return err
	}
	return w.below()
}

// Guard makes ErrDamaged of what damaged pages do to who reads them: bbolt panics, and
// reading beyond the end of a file that was cut faults.
func Guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged("a page can't be read: %v", p)
		}
	}()
	return f()
}

// walk is one look at pages.
type walk struct {
	meta
	ctx   context.Context
	data  []byte
	depth Depth
	left  uint64 // how many pages may still be visited: each is in one place

	inBucket bool     // and not in the root of all, where each element is a bucket
	subtrees []uint64 // of buckets, to be visited by themselves
}

// below visits what the buckets have, in two goroutines: it waits for memory most of the
// time.
func (w *walk) below() error {
	var next atomic.Int64
	var visiting sync.WaitGroup
	var errs [2]error
	for i := range errs {
		part := *w
		part.inBucket = true
		visiting.Go(func() {
			errs[i] = Guard(func() error {
				for n := next.Add(1); n <= int64(len(w.subtrees)); n = next.Add(1) {
					if err := part.visit(w.subtrees[n-1], maxDepth); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	visiting.Wait()
	if errs[0] != nil {
		return errs[0]
	}
	return errs[1]
}

// page returns a page with those that belong to it.
func (w *walk) page(id uint64) ([]byte, error) {
	if w.left == 0 || id < 2 || id >= w.count {
		return nil, damaged("page %d is named, of %d", id, w.count)
	}
	w.left--
	page := w.data[id*w.pageSize:]
	more := uint64(binary.NativeEndian.Uint32(page[12:]))
	if binary.NativeEndian.Uint64(page) != id || more >= w.count-id {
		return nil, damaged("page %d is another one", id)
	}
	return page[:(more+1)*w.pageSize], nil
}

// checkFreelist checks the list of pages that are free.
func (w *walk) checkFreelist() error {
	page, err := w.page(w.freelist)
	if err != nil {
		return err
	}
	const long = 0xFFFF // the number stands before the list then
	n, room := uint64(elementsOf(page)), uint64(len(page)-pageHeader)/8
	if n == long {
		n = binary.NativeEndian.Uint64(page[pageHeader:])
		room--
	}
	if kindOf(page) != freelistPage || n > room {
		return damaged("page %d is no list of free pages", w.freelist)
	}
	return nil
}

// visit checks a page and all below it.
func (w *walk) visit(id uint64, depth int) error {
	page, err := w.page(id)
	switch {
	case err != nil:
		return err
	case depth == 0:
		return damaged("page %d is too far from the root", id)
	case kindOf(page) == branchPage:
		return w.children(page, func(child uint64) error { return w.visit(child, depth-1) })
	}
	return w.leaf(page)
}

// children checks a branch page, and gives the pages below it.
func (w *walk) children(page []byte, give func(child uint64) error) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	n, err := countElements(page)
	if err != nil {
		return err
	}
	for i := range n {
		e := page[pageHeader+i*element:]
		pos, key := uint64(binary.NativeEndian.Uint32(e)), uint64(binary.NativeEndian.Uint32(e[4:]))
		if pos+key > uint64(len(e)) {
			return damaged("page %d: a key lies outside of it", idOf(page))
		}
		if err := give(binary.NativeEndian.Uint64(e[8:])); err != nil {
			return err
		}
	}
	return nil
}

func countElements(page []byte) (int, error) {
	n := elementsOf(page)
	if pageHeader+n*element > len(page) {
		return 0, damaged("page %d has %d elements", idOf(page), n)
	}
	return n, nil
}

func (w *walk) leaf(page []byte) error {
	n, err := countElements(page)
	if err == nil && kindOf(page) != leafPage {
		err = damaged("page %d is of kind %d", idOf(page), kindOf(page))
	}
	if err != nil {
		return err
	}
	first := 0
	if w.inBucket && w.depth == Headers {
		first = max(0, n-1)
	}
	for i := first; i < n; i++ {
		if err := w.row(page, i); err != nil {
			return err
		}
	}
	return nil
}

// row checks an element of a leaf: flags, place, lengths of key and value.
func (w *walk) row(page []byte, i int) error {
	e := page[pageHeader+i*element:]
	flags, value, end := rowAt(e)
	switch {
	case end > uint64(len(e)):
		return damaged("page %d: row %d lies outside of it", idOf(page), i)
	case flags == 0 && w.inBucket:
		return nil
	case flags != bucketElement || w.inBucket || end-value < bucketHeader:
		return damaged("page %d: row %d is marked as a bucket, or a bucket as a row", idOf(page), i)
	}
	return w.bucket(e[value:end])
}

// bucket checks what the root has of a bucket, and notes what is below to be visited by
// itself: of a large bucket the pages below its root, so that it is work for several.
func (w *walk) bucket(header []byte) error {
	root := binary.NativeEndian.Uint64(header)
	if root == 0 { // the page follows
		inline := *w
		inline.inBucket = true
		if len(header) < bucketHeader+pageHeader {
			return damaged("a bucket is cut off")
		}
		return inline.leaf(header[bucketHeader:])
	}
	page, err := w.page(root)
	if err != nil {
		return err
	}
	note := func(id uint64) error {
		w.subtrees = append(w.subtrees, id)
		return nil
	}
	if kindOf(page) == branchPage {
		return w.children(page, note)
	}
	w.left++
	return note(root)
}
