package metalog

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/metalog/metalog/events"
)

// commandTypes are the commands that anyone may give, by name.
var commandTypes = typesOf(
	InitSystem{},
	CreateTopic{}, UpdateTopic{}, AddPartitions{}, DeleteTopic{},
	AddSegment{}, CompactSegments{}, DeleteSegment{},
	RegisterBroker{}, SetBrokerStatus{}, RemoveBroker{},
	AssignPartition{}, ReassignPartition{}, ElectLeader{}, ChangeISR{}, AdvanceWatermarks{},
	CreateGroup{}, UpdateGroup{}, DeleteGroup{},
	CommitOffsets{}, ResetOffsets{}, DeleteOffsets{}, ExpireOffsets{},
	SetConfig{}, DeleteConfig{},
	AllocateProducerIDs{}, BeginTransaction{}, AddTransactionPartitions{}, AddTransactionOffsets{},
	CommitTransactionOffsets{}, PrepareTransaction{}, CommitTransaction{}, AbortTransaction{}, FenceProducer{},
	StartImport{}, CompleteImport{},
)

func typesOf(commands ...Command) map[string]reflect.Type {
	types := make(map[string]reflect.Type, len(commands))
	for _, c := range commands {
		types[c.Op()] = reflect.TypeOf(c)
	}
	return types
}

// Ops returns the names of all commands, sorted.
func Ops() []string { return slices.Sorted(maps.Keys(commandTypes)) }

// MaxCommandBytes bounds a command as JSON: a line of an apply file, the body of
// a request.
const MaxCommandBytes = 1 << 20

// ParseCommand reads a command by its name from a JSON object that has its
// fields in snake_case. It is ErrInvalid naming the field for an unknown, missing
// or repeated field or a value of another type, and ErrTooLarge over
// MaxCommandBytes. Dashes and underscores in a name are the same.
func ParseCommand(op string, body []byte) (Command, error) {
	t, ok := commandTypes[strings.ReplaceAll(op, "_", "-")]
	if !ok {
		return nil, fieldError("op", "%q is not known; it is one of %s", op, strings.Join(Ops(), ", "))
	}
	if len(body) > MaxCommandBytes {
		return nil, events.Errorf(events.CodeTooLarge, "%s has %d bytes, the limit is %d; split it", op, len(body), MaxCommandBytes)
	}
	cmd := reflect.New(t)
	if err := decodeObject(body, cmd.Interface()); err != nil {
		return nil, events.Errorf(events.CodeOf(err), "%s: %w", op, err)
	}
	return cmd.Elem().Interface().(Command), nil
}

// decodeObject decodes one JSON object strictly.
func decodeObject(body []byte, into any) error {
	if err := checkKeys(body, "", reflect.TypeOf(into).Elem()); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return jsonError(err)
	}
	return nil
}

// jsonError words an error of encoding/json as those of fields are.
func jsonError(err error) error {
	if e, ok := errors.AsType[*events.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return fieldError(e.Field, "a %s does not fit here; it must be %s", e.Value, article(e.Type))
	}
	return events.Errorf(events.CodeInvalid, "not a JSON object of this command: %s", strings.TrimPrefix(err.Error(), "json: "))
}

func article(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint64:
		return fmt.Sprintf("a whole number (%d bits)", t.Bits())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// checkKeys checks an object's keys against the fields of a struct: encoding/json
// takes any case, lets a key stand twice, and does not miss what is not there.
func checkKeys(data []byte, path string, t reflect.Type) error {
	keys, err := objectKeys(data)
	if err != nil {
		return events.Errorf(events.CodeInvalid, "%snot a JSON object: %w", path, err)
	}
	fields := fieldsOf(t)
	for key := range keys {
		if _, ok := fields[key]; !ok {
			return fieldError(path+key, "is not known here; the fields are %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value, given := keys[name]
		if f := fields[name]; !given || string(value) == "null" {
			if f.Tag.Get("require") == "true" {
				return fieldError(path+name, "is missing")
			}
		} else if err := checkNested(value, path+name, f.Type); err != nil {
			return err
		}
	}
	return nil
}

// checkNested goes into lists of objects, and reads what is written as text (a
// time, an id, a scope): encoding/json would not say which field has it wrong.
func checkNested(data []byte, path string, t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if _, ok := reflect.New(t).Interface().(encoding.TextUnmarshaler); ok {
		if err := json.Unmarshal(data, reflect.New(t).Interface()); err != nil {
			return fieldError(path, "%s does not fit here: %w", data, jsonError(err))
		}
		return nil
	}
	if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Struct {
		return nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return fieldError(path, "must be a list")
	}
	for i, item := range items {
		if err := checkKeys(item, fmt.Sprintf("%s[%d].", path, i), t.Elem()); err != nil {
			return err
		}
	}
	return nil
}

// fieldsOf lists a struct's fields, those of embedded structs too, by their JSON
// names.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			fields[name] = f
		}
	}
	return fields
}

// objectKeys reads the keys of one JSON object with their values.
func objectKeys(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not valid UTF-8") // decoding would replace what isn't
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	switch start, err := dec.Token(); {
	case err != nil:
		return nil, err
	case start != json.Delim('{'):
		return nil, errors.New("it must begin with {")
	}
	keys := map[string]json.RawMessage{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		if _, twice := keys[key.(string)]; twice {
			return nil, fmt.Errorf("field %q stands twice", key)
		}
		keys[key.(string)] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	return keys, nil
}

// ParseLine reads a line of an apply file: a command's fields, its name as "op",
// and what any command may carry: "command_id", "if_revision" and "reason".
func ParseLine(line []byte) (cmd Command, opts CommandOptions, err error) {
	if len(line) > MaxCommandBytes {
		return nil, opts, events.Errorf(events.CodeTooLarge, "the line has %d bytes, the limit is %d; split the command", len(line), MaxCommandBytes)
	}
	keys, err := objectKeys(line)
	if err != nil {
		return nil, opts, events.Errorf(events.CodeInvalid, "not a JSON object: %w", err)
	}
	var envelope struct {
		Op         string  `json:"op"`
		CommandID  string  `json:"command_id"`
		IfRevision *uint64 `json:"if_revision"`
		Reason     string  `json:"reason"`
	}
	if err := json.Unmarshal(line, &envelope); err != nil {
		return nil, opts, jsonError(err)
	}
	if envelope.Op == "" {
		return nil, opts, fieldError("op", "is missing; it is one of %s", strings.Join(Ops(), ", "))
	}
	for _, key := range []string{"op", "command_id", "if_revision", "reason"} {
		delete(keys, key)
	}
	body, err := encodeObject(keys)
	if err != nil {
		return nil, opts, err
	}
	cmd, err = ParseCommand(envelope.Op, body)
	opts = CommandOptions{ID: envelope.CommandID, IfRevision: envelope.IfRevision, Reason: envelope.Reason}
	return cmd, opts, err
}

// encodeObject writes an object as it was read: not made longer by escaping what
// need not be.
func encodeObject(keys map[string]json.RawMessage) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(keys)
	return bytes.TrimRight(buf.Bytes(), "\n"), err
}

// Validate checks what can be checked of a command without knowing any state.
func Validate(cmd Command, opts CommandOptions) error {
	if err := opts.validate(); err != nil {
		return err
	}
	return cmd.validate()
}
