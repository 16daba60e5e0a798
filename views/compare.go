package views

import (
	"bytes"
	"context"
	"fmt"
	"iter"
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
		d, err := differenceIn(ctx, b, got, want)
		if d != nil || err != nil {
			return d, err
		}
	}
	return nil, nil
}

// compareCheckEvery is after how many rows a comparison looks at its context.
const compareCheckEvery = 4096

func differenceIn(ctx context.Context, b bucket, got, want *Reader) (*Difference, error) {
	nextGot, stopGot := iter.Pull2(got.scan(b.key()))
	defer stopGot()
	nextWant, stopWant := iter.Pull2(want.scan(b.key()))
	defer stopWant()
	for n := 1; ; n++ {
		if n%compareCheckEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		g, gotErr, more := nextGot()
		w, wantErr, moreWanted := nextWant()
		switch {
		case gotErr != nil:
			return nil, gotErr
		case wantErr != nil:
			return nil, wantErr
		case !more && !moreWanted:
			return nil, nil
		case !moreWanted, more && bytes.Compare(g.key, w.key) < 0:
			return newDifference(b, g.key, g.value, nil), nil
		case !more, bytes.Compare(g.key, w.key) > 0:
			return newDifference(b, w.key, nil, w.value), nil
		case !bytes.Equal(g.value, w.value):
			return newDifference(b, g.key, g.value, w.value), nil
		}
	}
}

// newDifference copies what is valid only until the scans go on.
func newDifference(b bucket, key, got, want []byte) *Difference {
	return &Difference{Bucket: b.String(), Key: slices.Clone(key), Got: slices.Clone(got), Want: slices.Clone(want)}
}
