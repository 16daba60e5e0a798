package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// State tells whose archive it is, and where it begins. It is replaced whole, and
// what lies before its first record does not exist any more, whatever files are
// still there.
type State struct {
	Format uint64      `json:"format"` // 1
	LogID  uuid.UUID   `json:"log_id"`
	Epoch  uint64      `json:"epoch"`          // of the log that wrote here last
	First  uint64      `json:"first_seq"`      // 1, unless the archive was pruned
	Prev   events.Hash `json:"prev"`           // of the frame before that record
	Base   *Base       `json:"base"`           // the views that reading earlier states begins with; null: none are needed
	Check  events.Hash `json:"check,omitzero"` // as in a Manifest
}

func (s State) encode() ([]byte, error) {
	s.Check = events.Hash{}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	s.Check = sha256.Sum256(data)
	data, err = json.MarshalIndent(s, "", " ")
	return append(data, '\n'), err
}

func decodeState(data []byte) (s State, err error) {
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("it is damaged: %w", err)
	}
	if s.Format != formatVersion {
		return s, fmt.Errorf("its format %d is not known (newest: %d); a newer metalog wrote it", s.Format, formatVersion)
	}
	again, err := s.encode() // there is one encoding
	if err == nil && !bytes.Equal(again, data) {
		err = fmt.Errorf("it was altered")
	}
	return s, err
}

func readState(ctx context.Context, place Place) (State, error) {
	data, err := read(ctx, place, stateFile, 0, -1)
	if notThere(err) {
		return State{}, events.Errorf(events.CodeNotFound, "archive %s: there is none here, or its place is not mounted", place)
	}
	if err != nil {
		return State{}, err
	}
	state, err := decodeState(data)
	if err != nil {
		return State{}, events.Errorf(events.CodeCorrupt, "archive %s: %s: %w; restore the file from a copy of the archive", place, stateFile, err)
	}
	return state, nil
}

func putState(ctx context.Context, place Place, state State) error {
	data, err := state.encode()
	if err != nil {
		return err
	}
	return place.Put(ctx, stateFile, writing(data))
}
