package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"
)

// format is how results are printed.
type format string

const (
	formatTable format = "table" // for people
	formatJSON  format = "json"  // one value
	formatJSONL format = "jsonl" // one value a line: each element of a list
	formatYAML  format = "yaml"
)

var formats = []format{formatTable, formatJSON, formatJSONL, formatYAML}

// Set implements pflag.Value.
func (f *format) Set(s string) error {
	if !slices.Contains(formats, format(s)) {
		return fmt.Errorf("%q is not known; it is table, json, jsonl or yaml", s)
	}
	*f = format(s)
	return nil
}

func (f *format) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *format) Type() string { return "format" }

// printObject prints one thing, with the same names in every format.
func (a *app) printObject(v any) error {
	if a.format == formatTable {
		return a.printFields(v)
	}
	return a.printValue(v)
}

// printValue prints a value in a format for programs.
func (a *app) printValue(v any) error {
	encoded, err := encode(v)
	if err != nil {
		return err
	}
	switch a.format {
	case formatYAML:
		encoded, err = yaml.JSONToYAML(encoded)
		if err != nil {
			return err
		}
	case formatJSON:
		var indented bytes.Buffer
		if err := json.Indent(&indented, encoded, "", "  "); err != nil {
			return err
		}
		encoded = indented.Bytes()
	}
	_, err = a.out.Write(encoded)
	return err
}

// encode gives a value as one line of JSON. Text stays readable: <, > and & are
// themselves.
func encode(v any) ([]byte, error) {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return line.Bytes(), err
}

// printList prints things of one kind: a table of the columns, or a list of the
// objects that describe prints. What kind they are says who has none.
func printList[T any](a *app, kind string, list []T, columns ...column[T]) error {
	switch a.format {
	case formatJSONL:
		for _, item := range list {
			if err := a.printValue(item); err != nil {
				return err
			}
		}
		return nil
	case formatTable:
		if len(list) == 0 {
			_, err := fmt.Fprintf(a.err, "no %s\n", kind)
			return err
		}
		return printTable(a.out, list, columns)
	}
	if list == nil {
		list = []T{}
	}
	return a.printValue(list)
}

// say prints a sentence for people; a format for programs gets v instead.
func (a *app) say(v any, sentence string, args ...any) error {
	if a.format != formatTable {
		return a.printValue(v)
	}
	_, err := fmt.Fprintf(a.out, sentence+"\n", args...)
	return err
}
