package events

// CountTypes adds the events of an encoded record to counts, by type, whether
// this program knows their types or not. It reads the envelope only; what it does
// not find there is ErrCorrupt.
func CountTypes(data []byte, counts map[Type]uint64) error {
	p, _, _, err := peekEnvelope(data)
	if err != nil {
		return err
	}
	p.rest = p.rest[len(Hash{}):]
	p.skip(maxPeekDepth) // meta
	for range p.head(cborArray) {
		fields := p.head(cborArray)
		t := p.head(cborUint)
		for range fields - 1 {
			p.skip(maxPeekDepth)
		}
		if p.bad || fields == 0 {
			return Errorf(CodeCorrupt, "not a record: its events can't be told apart")
		}
		counts[Type(t)]++
	}
	if p.bad || len(p.rest) > 0 {
		return Errorf(CodeCorrupt, "not a record: it does not end with its events")
	}
	return nil
}

// maxPeekDepth is how deep items may be nested, as for the decoder.
const maxPeekDepth = 16

// skip passes over an item, whatever it is.
func (p *peeker) skip(depth int) {
	if p.bad || depth == 0 || len(p.rest) == 0 {
		p.bad = true
		return
	}
	major := p.rest[0] >> 5
	n := p.head(major)
	switch major {
	case cborBytes, cborText:
		if p.bad = p.bad || n > uint64(len(p.rest)); !p.bad {
			p.rest = p.rest[n:]
		}
	case cborMap:
		p.skipAll(2*n, depth)
	case cborArray:
		p.skipAll(n, depth)
	case cborTag:
		p.bad = true
	}
}

func (p *peeker) skipAll(n uint64, depth int) {
	for ; n > 0 && !p.bad; n-- {
		p.skip(depth - 1)
	}
}
