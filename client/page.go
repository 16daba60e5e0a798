package client

import "encoding/json"

// yieldPage decodes and yields what a page of an answer has, and reports whether to
// go on.
func yieldPage[T any](op string, page []json.RawMessage, yield func(T, error) bool) bool {
	for _, encoded := range page {
		var v T
		err := decode(nil, encoded, &v)
		if err != nil {
			err = unreadable(op, err)
		}
		if !yield(v, err) || err != nil {
			return false
		}
	}
	return true
}
