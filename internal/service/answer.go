package service

import (
	"strconv"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog/internal/wire"
)

// answer is what a request is told.
type answer struct {
	body any
	seq  uint64 // of the state it was read from; 0: not told
}

// respond sends an answer, in as many parts as it takes, or an error.
func respond(r micro.Request, a answer, failure error) error {
	if failure != nil {
		return respondError(r, failure)
	}
	body, err := wire.Encode(a.body)
	if err != nil {
		return respondError(r, err)
	}
	parts := wire.Parts(body)
	for i, part := range parts {
		if err := r.Respond(part, micro.WithHeaders(partHeaders(a.seq, i, len(parts)))); err != nil {
			return err
		}
	}
	return nil
}

func partHeaders(seq uint64, i, of int) micro.Headers {
	h := micro.Headers{}
	if seq != 0 {
		h[wire.HeaderSeq] = []string{strconv.FormatUint(seq, 10)}
	}
	if of > 1 {
		h[wire.HeaderPart] = []string{strconv.Itoa(i)}
	}
	if i < of-1 {
		h[wire.HeaderMore] = []string{"true"}
	}
	return h
}

func respondError(r micro.Request, failure error) error {
	e := wire.ErrorOf(failure)
	body, err := wire.Encode(e)
	if err != nil {
		return err
	}
	return r.Error(string(e.Code), e.Description(), body)
}
