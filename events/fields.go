package events

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// JSONField is a field of a JSON object.
type JSONField struct {
	Name  string
	Value json.RawMessage
}

// JSONFields lists the fields of an object's JSON in their order. Text stays readable:
// nothing is escaped for HTML.
func JSONFields(object any) ([]JSONField, error) {
	var encoded bytes.Buffer
	enc := json.NewEncoder(&encoded)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(&encoded)
	if _, err := dec.Token(); err != nil { // {
		return nil, err
	}
	var fields []JSONField
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		f := JSONField{Name: fmt.Sprint(name)}
		if err := dec.Decode(&f.Value); err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}
