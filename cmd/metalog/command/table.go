package command

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/metalog/metalog/events"
)

// column is one column of a table.
type column[T any] struct {
	title string
	cell  func(T) any
}

const columnGap = 2 // spaces

func printTable[T any](w io.Writer, rows []T, columns []column[T]) error {
	t := newTable(w, columns)
	for _, row := range rows {
		t.row(row)
	}
	return t.text.Flush()
}

// table is a table whose columns line up. It keeps the text of its rows until that is
// flushed.
type table[T any] struct {
	text    *tabwriter.Writer
	columns []column[T]
	cells   []string
	rows    int
}

func newTable[T any](w io.Writer, columns []column[T]) *table[T] {
	t := &table[T]{text: tabwriter.NewWriter(w, 0, 0, columnGap, ' ', 0), columns: columns, cells: make([]string, len(columns))}
	for i, c := range columns {
		t.cells[i] = c.title
	}
	t.line()
	return t
}

func (t *table[T]) row(row T) {
	for i, c := range t.columns {
		t.cells[i] = cellText(c.cell(row))
	}
	t.line()
	t.rows++
}

func (t *table[T]) line() { fmt.Fprintln(t.text, strings.Join(t.cells, "\t")) }

// rowText is a row of a table that is printed as its rows come. A cell that is wider
// than its column moves those that follow only as far as there is no room for them.
// The last cell has no width.
func rowText(widths []int, cells ...string) string {
	var row strings.Builder
	at, place := 0, 0
	for i, cell := range cells {
		row.WriteString(cell)
		if i == len(widths) {
			break
		}
		at += utf8.RuneCountInString(cell)
		place += widths[i] + columnGap
		gap := max(place-at, columnGap)
		row.WriteString(strings.Repeat(" ", gap))
		at += gap
	}
	return strings.TrimRight(row.String(), " ")
}

// cellText writes a value into a table: ids and names as they are, unless a
// terminal would take them for more than text.
func cellText(v any) string {
	var text string
	switch v := v.(type) {
	case events.BrokerIDs:
		text = joinIDs(v)
	case events.Config:
		text = joinConfig(v)
	default:
		text = fmt.Sprint(v)
	}
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		return strconv.Quote(text)
	}
	return text
}

func joinIDs(ids events.BrokerIDs) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(texts, ",")
}

func joinConfig(config events.Config) string {
	pairs := make([]string, 0, len(config))
	for key, value := range config {
		pairs = append(pairs, key+"="+value)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, " ")
}

// printFields prints an object for people: a line for each field, in the order
// and with the names of its JSON.
func (a *app) printFields(v any) error {
	fields, err := events.JSONFields(v)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(a.out, 0, 0, columnGap, ' ', 0)
	for _, f := range fields {
		fmt.Fprintf(table, "%s\t%s\n", f.Name, valueText(f.Value))
	}
	return table.Flush()
}

// valueText is a field's value for people: a string without its quotes; one that is
// not there is a dash.
func valueText(value json.RawMessage) string {
	if value == nil {
		return "-"
	}
	var s string
	if json.Unmarshal(value, &s) == nil {
		return cellText(s)
	}
	return string(value)
}

// isEmpty reports whether a field's value says nothing.
func isEmpty(value json.RawMessage) bool {
	switch string(value) {
	case `""`, "null", "false", "{}", "[]":
		return true
	}
	return false
}
