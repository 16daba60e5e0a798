package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// ratioColumns are those of metalog's forms that others are compared with.
var ratioColumns = []string{inProcess, published, wire, wirePublished}

// print writes all tables.
func (r *results) print(w io.Writer) error {
	out := &strings.Builder{}
	fmt.Fprintf(out, "%s\n%s\n", r.machine, r.options)
	for _, t := range r.tables {
		fmt.Fprintf(out, "\n%s (%s loaded)\n", t.workload.title, grouped(float64(t.rows))+" rows")
		if err := t.print(out); err != nil {
			return err
		}
	}
	if err := printFigures(out, r); err != nil {
		return err
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (t *table) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	heading := append([]string{"system"}, t.workload.columns...)
	if t.workload.rated() {
		for _, form := range ratioColumns {
			heading = append(heading, form+" ÷ it")
		}
	}
	fmt.Fprintln(tw, strings.Join(append(heading, "note"), "\t"))
	for _, l := range t.lines {
		fmt.Fprintln(tw, strings.Join(t.cells(l), "\t"))
	}
	return tw.Flush()
}

func (t *table) cells(l *line) []string {
	cells := []string{l.system}
	if l.absent != "" {
		return append(cells, l.absent)
	}
	for _, value := range l.rounds.medians(len(t.workload.columns)) {
		cells = append(cells, number(value))
	}
	if t.workload.rated() {
		for _, form := range ratioColumns {
			cells = append(cells, t.ratioCell(form, l.system))
		}
	}
	return append(cells, l.note)
}

// ratioCell is of the first column; of a system with itself it tells nothing.
func (t *table) ratioCell(of, to string) string {
	if of == to {
		return "-"
	}
	return number(t.ratio(of, to, 0))
}

// rated tells whether the first column is a rate, of which ratios are told.
func (w workload) rated() bool { return strings.HasSuffix(w.columns[0], "/s") }

// number has three digits that count, or all before the point.
func number(value float64) string {
	switch {
	case math.IsNaN(value) || math.IsInf(value, 0):
		return "-"
	case math.Abs(value) >= 100:
		return grouped(math.Round(value))
	case math.Abs(value) >= 10:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.2f", value)
}

// grouped writes a whole number with commas.
func grouped(value float64) string {
	digits := fmt.Sprintf("%.0f", value)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// jsonLine is one system at one workload.
type jsonLine struct {
	Workload string                         `json:"workload"`
	Kind     string                         `json:"kind"`
	Clients  int                            `json:"clients"`
	Rows     int                            `json:"rows"`
	System   string                         `json:"system"`
	Medians  map[string]*float64            `json:"medians,omitempty"` // by column; null: there is none
	Rounds   rounds                         `json:"rounds,omitempty"`  // in the order of columns
	Columns  []string                       `json:"columns"`
	Ratios   map[string]map[string]*float64 `json:"ratios,omitempty"` // of a form of metalog to this, by its name and column
	Note     string                         `json:"note,omitempty"`
	Absent   string                         `json:"absent,omitempty"`
}

// writeJSON writes all that was measured.
func (r *results) writeJSON(w io.Writer) error {
	lines := []jsonLine{}
	for _, t := range r.tables {
		for _, l := range t.lines {
			lines = append(lines, t.json(l))
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{"machine": r.machine, "options": r.options.String(), "results": lines, "figures": figuresOf(r)})
}

func (t *table) json(l *line) jsonLine {
	w := t.workload
	j := jsonLine{
		Workload: w.title, Kind: w.kind, Clients: w.clients, Rows: t.rows, System: l.system,
		Rounds: l.rounds, Columns: w.columns, Note: l.note, Absent: l.absent,
	}
	if l.absent != "" {
		return j
	}
	j.Medians, j.Ratios = map[string]*float64{}, map[string]map[string]*float64{}
	for i, value := range l.rounds.medians(len(w.columns)) {
		j.Medians[w.columns[i]] = finite(value)
		for _, form := range ratioColumns {
			if value := finite(t.ratio(form, l.system, i)); value != nil {
				if j.Ratios[form] == nil {
					j.Ratios[form] = map[string]*float64{}
				}
				j.Ratios[form][w.columns[i]] = value
			}
		}
	}
	return j
}

// finite is nil for what JSON has no number for.
func finite(value float64) *float64 {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return nil
	}
	return &value
}
