package views

import (
	"bytes"
	"context"
	"fmt"
	"slices"
)

// Difference is a row that two views don't have in common. A value is nil where
// the row is missing.
type Difference struct {
	Bucket    string // its name
	Key       []byte
	Got, Want []byte
}

func (d Difference) String() string {
	switch {
	case d.Got == nil:
		return fmt.Sprintf("%s: row %x is missing", d.Bucket, d.Key)
	case d.Want == nil:
		return fmt.Sprintf("%s: row %x should not be there", d.Bucket, d.Key)
	}
	return fmt.Sprintf("%s: row %x differs", d.Bucket, d.Key)
}

// FirstDifference compares all rows of two views, those of indexes too, and
// returns the first that differs; nil if none does.
func FirstDifference(ctx context.Context, got, want *Reader) (*Difference, error) {
	for b := range bucketEnd {
		if b.String() == "" {
			continue // a number without a bucket
		}
		pairs, err := newPairs(ctx, got, want, bounds{prefix: b.key(), start: b.key()}, false)
		if err != nil {
			return nil, err
		}
		switch p, found, err := pairs.next(); {
		case err != nil:
			return nil, err
		case found:
			return newDifference(b, p), nil
		}
	}
	return nil, nil
}

// newDifference copies what is valid only until the scans go on.
func newDifference(b bucket, p pair) *Difference {
	return &Difference{Bucket: b.String(), Key: slices.Clone(p.key), Got: slices.Clone(p.a), Want: slices.Clone(p.b)}
}

// pair is what two views have under one key. A value is nil where the row is
// missing. It is valid until the next pair is asked for.
type pair struct {
	key  []byte // without the bucket's number
	a, b []byte
}

// pairs walks the rows of two views side by side, in order of key.
type pairs struct {
	ctx   context.Context // looked at now and then
	a, b  side
	equal bool // give rows that are equal, too
	n     int  // pairs looked at
}

// side is one view's scan and the row that it stands at.
type side struct {
	rows *merged
	row  entry
	more bool
	took bool // the row was given, so the scan goes on before the next
}

// compareCheckEvery is after how many rows a comparison looks at its context.
const compareCheckEvery = 4096

func newPairs(ctx context.Context, a, b *Reader, within bounds, equal bool) (*pairs, error) {
	p := &pairs{ctx: ctx, equal: equal, a: side{took: true}, b: side{took: true}}
	var err error
	if p.a.rows, err = a.newMerged(within); err != nil {
		return nil, err
	}
	p.b.rows, err = b.newMerged(within)
	return p, err
}

func (s *side) advance() (err error) {
	if s.took {
		s.row, s.more, err = s.rows.next()
		s.took = false
	}
	return err
}

// next returns the next pair, or false after the last one.
func (p *pairs) next() (pair, bool, error) {
	for {
		if p.n++; p.n%compareCheckEvery == 0 && p.ctx.Err() != nil {
			return pair{}, false, p.ctx.Err()
		}
		if err := p.a.advance(); err != nil {
			return pair{}, false, err
		}
		if err := p.b.advance(); err != nil {
			return pair{}, false, err
		}
		if !p.a.more && !p.b.more {
			return pair{}, false, nil
		}
		if found := p.take(); p.equal || found.a == nil || found.b == nil || !bytes.Equal(found.a, found.b) {
			return found, true, nil
		}
	}
}

// take gives the row whose key comes first, from one view or both.
func (p *pairs) take() pair {
	order := bytes.Compare(p.a.row.key, p.b.row.key)
	switch {
	case !p.b.more, p.a.more && order < 0:
		p.a.took = true
		return pair{key: p.a.row.key, a: p.a.row.value}
	case !p.a.more, order > 0:
		p.b.took = true
		return pair{key: p.b.row.key, b: p.b.row.value}
	}
	p.a.took, p.b.took = true, true
	return pair{key: p.a.row.key, a: p.a.row.value, b: p.b.row.value}
}
