package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
)

// event has the fields of an event that this program uses.
type event struct {
	Seq    uint64 `json:"seq"`
	Index  int    `json:"index"`
	Type   string `json:"type"`
	Entity string `json:"entity"`
}

// message is what the headers say of a message.
type message struct {
	logID string
	epoch uint64
	first position
	next  position // after the last event
	hash  string   // of the record
}

func parseHeaders(h nats.Header) (m message, err error) {
	var count, of uint64
	for name, field := range map[string]*uint64{"Metalog-Epoch": &m.epoch, "Metalog-Seq": &m.first.Seq, "Metalog-Count": &count, "Metalog-Events": &of} {
		if *field, err = strconv.ParseUint(h.Get(name), 10, 64); err != nil {
			return m, final("a message that metalog did not write: header %s: %w", name, err)
		}
	}
	if m.first.Index, err = strconv.Atoi(h.Get("Metalog-Index")); err != nil {
		return m, final("a message that metalog did not write: header Metalog-Index: %w", err)
	}
	m.logID, m.hash = h.Get("Metalog-Log-Id"), h.Get("Metalog-Hash")
	m.next = position{Seq: m.first.Seq, Index: m.first.Index + int(count)}
	if m.next.Index == int(of) {
		m.next = position{Seq: m.first.Seq + 1}
	}
	return m, nil
}

// parseEvents reads a payload. This program reads JSON only.
func parseEvents(h nats.Header, data []byte) (list []event, err error) {
	if t := h.Get("Content-Type"); t != "application/json" {
		return nil, final("payloads are %s; run the server with --payload json", t)
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, final("record %s: payload: %w", h.Get("Metalog-Seq"), err)
	}
	return list, nil
}

// finalError is one that trying again does not mend: an operator has to decide.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

func final(format string, args ...any) error { return &finalError{fmt.Errorf(format, args...)} }
