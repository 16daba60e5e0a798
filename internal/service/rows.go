package service

import (
	"iter"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog/internal/wire"
)

// rows are the encoded rows of a list, and what lets go of the state that they are read
// from.
type rows struct {
	encoded iter.Seq2[[]byte, error]
	end     func() error
}

func encodeRows[Row any](list iter.Seq2[Row, error]) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for row, err := range list {
			var encoded []byte
			if err == nil {
				encoded, err = wire.Encode(row)
			}
			if !yield(encoded, err) || err != nil {
				return
			}
		}
	}
}

// sendRows reads the rows of an answer and sends each part as soon as it is full, so
// that a list takes the memory of a part, and the state that it is read from is held no
// longer than reading takes. It returns the rest, which is to be sent, or an error.
func (s *Service) sendRows(to string, a answer) (rest answer, err error) {
	defer func() {
		if endErr := a.rows.end(); err == nil {
			err = endErr
		}
	}()
	text := []byte{'['}
	for row, err := range a.rows.encoded {
		if err != nil {
			return a, err
		}
		if len(text) > 1 || a.part > 0 {
			text = append(text, ',')
		}
		text = append(text, row...)
		for len(text) > wire.MaxPart {
			part := nats.Msg{Subject: to, Header: a.partHeader(0, true), Data: text[:wire.MaxPart]}
			if err := s.nc.PublishMsg(&part); err != nil { // copies the data
				return a, unavailable(err)
			}
			a.part++
			text = text[:copy(text, text[wire.MaxPart:])]
		}
	}
	a.body = rawBody(append(text, ']'))
	return a, nil
}
