package command

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
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
	case formatJSON:
		encoded, err = indentJSON(encoded, "")
	}
	if err != nil {
		return err
	}
	_, err = a.out.Write(encoded)
	return err
}

func indentJSON(encoded []byte, prefix string) ([]byte, error) {
	var indented bytes.Buffer
	err := json.Indent(&indented, encoded, prefix, "  ")
	return indented.Bytes(), err
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

// printList prints things of one kind as they are read: a table of the columns, or a
// list of the objects that describe prints. What kind they are says who has none.
func printList[T any](a *app, kind string, list iter.Seq2[T, error], columns ...column[T]) error {
	out := bufio.NewWriter(a.out)
	show := printLines[T]
	switch a.format {
	case formatTable:
		show = func(out io.Writer, list iter.Seq2[T, error]) error { return printRows(a, kind, out, list, columns) }
	case formatJSON:
		show = printArray
	case formatYAML:
		show = printElements
	}
	return errors.Join(show(out, list), out.Flush())
}

// each does something with the items of a list, up to the first error.
func each[T any](list iter.Seq2[T, error], do func(T) error) error {
	for item, err := range list {
		if err == nil {
			err = do(item)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func printRows[T any](a *app, kind string, out io.Writer, list iter.Seq2[T, error], columns []column[T]) error {
	t := newTable(out, columns)
	err := each(list, func(item T) error {
		t.row(item)
		return nil
	})
	switch {
	case err != nil:
		return err
	case t.rows > 0:
		return t.text.Flush()
	}
	_, err = fmt.Fprintf(a.err, "no %s\n", kind)
	return err
}

// printArray prints a list as one value in JSON.
func printArray[T any](out io.Writer, list iter.Seq2[T, error]) error {
	before, end := "[\n  ", "[]\n"
	err := each(list, func(item T) error {
		encoded, err := encode(item)
		if err == nil {
			encoded, err = indentJSON(bytes.TrimSpace(encoded), "  ")
		}
		if err == nil {
			_, err = fmt.Fprintf(out, "%s%s", before, encoded)
		}
		before, end = ",\n  ", "\n]\n"
		return err
	})
	if err == nil {
		_, err = io.WriteString(out, end)
	}
	return err
}

// printElements prints a list in YAML: the elements of many lists of one are those of
// one list.
func printElements[T any](out io.Writer, list iter.Seq2[T, error]) error {
	end := "[]\n"
	err := each(list, func(item T) error {
		encoded, err := encode([]T{item})
		if err == nil {
			encoded, err = yaml.JSONToYAML(encoded)
		}
		if err == nil {
			_, err = out.Write(encoded)
		}
		end = ""
		return err
	})
	if err == nil {
		_, err = io.WriteString(out, end)
	}
	return err
}

// printLines prints a value a line.
func printLines[T any](out io.Writer, list iter.Seq2[T, error]) error {
	return each(list, func(item T) error {
		encoded, err := encode(item)
		if err == nil {
			_, err = out.Write(encoded)
		}
		return err
	})
}

// listOf makes a list of what is there already.
func listOf[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// say prints a sentence for people; a format for programs gets v instead.
func (a *app) say(v any, sentence string, args ...any) error {
	if a.format != formatTable {
		return a.printValue(v)
	}
	_, err := fmt.Fprintf(a.out, sentence+"\n", args...)
	return err
}
