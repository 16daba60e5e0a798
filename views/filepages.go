package views

import "unsafe"

// filePages are the pages of the file that pending rows change, as far as those were looked
// up since others were handed over. To write one takes far more memory than the row does,
// time of the disk, and as much free space in the file: so they bound what is flushed at once.
type filePages struct {
	of      *boltFile
	before  int // pages in the file that this one has replaced since
	seen    map[uintptr]struct{}
	indexes int     // pages of indexes, in which nothing is looked up
	few     int64   // bytes of pages that may be changed by rows that are far apart
	first   float64 // what share of the last rows within few were the first in their page
}

// pageSize is about what the system's is, and with it bbolt's.
const pageSize = 4096

// newFilePages takes how many bytes of pages may be changed by other rows.
func newFilePages(most int64) *filePages {
	return &filePages{seen: map[uintptr]struct{}{}, few: most / 4}
}

// in counts from anew when the file was replaced: rows are in other pages of it. What was
// counted before still counts if it is more, as those rows may be the same or not.
func (p *filePages) in(file *boltFile) {
	if p.of == file {
		return
	}
	before := p.count()
	p.reset()
	p.of, p.before = file, before
}

// add counts a row of which bbolt has given the key, or the one after it. Its page is known
// by where it is mapped; after a flush, or a new mapping, it counts again. A new row has one
// in an index, too: if it is the first in its page, so is that, as a rule.
func (p *filePages) add(key []byte, isNew bool) {
	const lately = 256 // rows
	first := 0
	if before := len(p.seen); len(key) > 0 {
		p.seen[uintptr(unsafe.Pointer(unsafe.SliceData(key)))/pageSize] = struct{}{}
		first = len(p.seen) - before
	}
	if isNew {
		p.indexes += first
	}
	if p.bytes() < p.few { // what gathers while others are flushed has fewer pages left to be first in
		p.first += (float64(first) - p.first) / lately
	}
}

func (p *filePages) count() int { return max(len(p.seen)+p.indexes, p.before) }

func (p *filePages) bytes() int64 { return int64(p.count()) * pageSize }

// apart reports whether each row comes with a page of its own, as a rule. To wait for more
// of them saves nothing then.
func (p *filePages) apart() bool { return p.first > 0.7 }

func (p *filePages) reset() {
	clear(p.seen)
	p.indexes, p.before = 0, 0
}
