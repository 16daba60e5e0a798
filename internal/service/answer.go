package service

import (
	"maps"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog/internal/wire"
)

// answer is what a request is told.
type answer struct {
	body   any         // told as JSON, unless it is a [rawBody]
	rows   *rows       // told as a JSON list in place of the body, if not nil
	part   int         // how many parts are told already
	seq    uint64      // of the state it was read from; 0: not told
	header nats.Header // more headers, told with an error too
}

// rawBody is told as it is.
type rawBody []byte

func (a answer) encode() ([]byte, error) {
	if raw, ok := a.body.(rawBody); ok {
		return raw, nil
	}
	return wire.Encode(a.body)
}

// respond sends an answer, in as many parts as it takes, or an error. It goes
// past micro.Request, whose methods are for the handler's own goroutine only.
func (s *Service) respond(to string, a answer, failure error) error {
	if failure != nil {
		return s.respondError(to, a, failure)
	}
	body, err := a.encode()
	if err != nil {
		return s.respondError(to, a, err)
	}
	parts := wire.Parts(body)
	for i, part := range parts {
		msg := &nats.Msg{Subject: to, Header: a.partHeader(i, i < len(parts)-1), Data: part}
		if err := s.nc.PublishMsg(msg); err != nil {
			return err
		}
	}
	return nil
}

// partHeader is of the i-th part of those still to be told, and says whether more follow.
func (a answer) partHeader(i int, more bool) nats.Header {
	h := a.ownHeader()
	if a.seq != 0 {
		h.Set(wire.HeaderSeq, strconv.FormatUint(a.seq, 10))
	}
	a.setPart(h, i, more)
	return h
}

// setPart numbers a part, unless it is all.
func (a answer) setPart(h nats.Header, i int, more bool) {
	if i += a.part; i > 0 || more {
		h.Set(wire.HeaderPart, strconv.Itoa(i))
	}
	if more {
		h.Set(wire.HeaderMore, "true")
	}
}

// ownHeader is a header to add to.
func (a answer) ownHeader() nats.Header {
	if a.header == nil {
		return nats.Header{}
	}
	return maps.Clone(a.header)
}

func (s *Service) respondError(to string, a answer, failure error) error {
	e := wire.ErrorOf(failure)
	body, err := wire.Encode(e)
	if err != nil {
		return err
	}
	h := a.ownHeader()
	a.setPart(h, 0, false)
	h.Set(micro.ErrorCodeHeader, string(e.Code))
	h.Set(micro.ErrorHeader, e.Description())
	return s.nc.PublishMsg(&nats.Msg{Subject: to, Header: h, Data: body})
}
