package metalog

import (
	"reflect"
	"strings"

	"github.com/metalog/metalog/events"
)

// EncodeCommand encodes a command's fields for [DecodeCommand], more cheaply than
// JSON does.
func EncodeCommand(cmd Command) ([]byte, error) { return events.Marshal(cmd) }

// DecodeCommand reads what EncodeCommand of the same version wrote. It is ErrInvalid
// for what can't be that: an unknown field, text that is not UTF-8. Unlike
// [ParseCommand] it takes a field that is missing for its zero value.
func DecodeCommand(op string, body []byte) (Command, error) {
	t, ok := commandTypes[strings.ReplaceAll(op, "_", "-")]
	if !ok {
		return nil, fieldError("op", "%q is not known; it is one of %s", op, strings.Join(Ops(), ", "))
	}
	cmd := reflect.New(t)
	if err := events.Unmarshal(body, cmd.Interface()); err != nil {
		return nil, events.Errorf(events.CodeInvalid, "%s: not an encoded command: %w; client and server may differ in version", op, err)
	}
	return cmd.Elem().Interface().(Command), nil
}
