package service

import (
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog/internal/wire"
)

// answer is what a request is told.
type answer struct {
	body any
	seq  uint64 // of the state it was read from; 0: not told
}

// respond sends an answer, in as many parts as it takes, or an error. It goes
// past micro.Request, whose methods are for the handler's own goroutine only.
func (s *Service) respond(to string, a answer, failure error) error {
	if failure != nil {
		return s.respondError(to, failure)
	}
	body, err := wire.Encode(a.body)
	if err != nil {
		return s.respondError(to, err)
	}
	parts := wire.Parts(body)
	for i, part := range parts {
		msg := &nats.Msg{Subject: to, Header: partHeader(a.seq, i, len(parts)), Data: part}
		if err := s.nc.PublishMsg(msg); err != nil {
			return err
		}
	}
	return nil
}

func partHeader(seq uint64, i, of int) nats.Header {
	h := nats.Header{}
	if seq != 0 {
		h.Set(wire.HeaderSeq, strconv.FormatUint(seq, 10))
	}
	if of > 1 {
		h.Set(wire.HeaderPart, strconv.Itoa(i))
	}
	if i < of-1 {
		h.Set(wire.HeaderMore, "true")
	}
	return h
}

func (s *Service) respondError(to string, failure error) error {
	e := wire.ErrorOf(failure)
	body, err := wire.Encode(e)
	if err != nil {
		return err
	}
	h := nats.Header{}
	h.Set(micro.ErrorCodeHeader, string(e.Code))
	h.Set(micro.ErrorHeader, e.Description())
	return s.nc.PublishMsg(&nats.Msg{Subject: to, Header: h, Data: body})
}
