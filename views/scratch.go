package views

// Scratch returns a writer whose rows lie over what r shows and go nowhere: what
// would be if some events were applied. It is valid for as long as r is, and as
// long as r stays as it is; it belongs to r's goroutine. Only its reads and puts
// are of use: it has no group to begin, seal or commit. r must not be a scratch
// itself.
func (r *Reader) Scratch() *Tx {
	over := *r
	over.live, over.active, over.under, over.kept, over.changing = true, newRows(0), r.active, new(kept), newFilePages(0)
	return &Tx{Reader: over}
}
