package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// figure is one that metalog is to reach, and what was measured of it.
type figure struct {
	What    string   `json:"what"`
	Wanted  string   `json:"wanted"`
	Off     *float64 `json:"off"`     // with the publisher off; null: not measured
	On      *float64 `json:"on"`      // with the publisher on
	Reached string   `json:"reached"` // of both: yes, no, or "" when something is missing
}

// The columns of the usual workloads, and of the deletion.
const (
	rateColumn, p50Column                            = 0, 1
	unreachableColumn, purgedColumn, besideP99Column = 0, 1, 2
)

// wanted is a figure before it is looked up.
type wanted struct {
	workload string // how its title begins
	to       string // a ratio to this system; empty: the value itself
	column   int
	limit    float64
	atMost   bool // else it is at least limit
	wire     bool // metalog over the wire; else in process
	unit     string
}

var allWanted = []wanted{
	{workload: commitTitle(64, 1), to: "pebble", limit: 1},
	{workload: commitTitle(64, 1), to: "bbolt", limit: 6},
	{workload: commitTitle(64, 1), to: "bbolt-tuned", limit: 6},
	{workload: commitTitle(512, 1), to: bareLog, limit: 0.5},
	{workload: commitTitle(1, 1), to: bareLog, column: p50Column, limit: 1.3, atMost: true},
	{workload: commitTitle(64, 50), limit: 700_000, unit: "offsets/s"},
	{workload: commitTitle(64, 50), to: "postgres", limit: 20},
	{workload: commitTitle(64, 1), to: "etcd", limit: 3, wire: true},
	{workload: commitTitle(64, 1), to: "postgres", limit: 4, wire: true},
	{workload: readWorkload(1, "1 client").title, limit: 500_000, unit: "reads/s"},
	{workload: "delete a topic", column: unreachableColumn, limit: 10, atMost: true, unit: "ms until unreachable"},
	{workload: "delete a topic", column: purgedColumn, limit: 500, atMost: true, unit: "ms until purged"},
	{workload: "delete a topic", column: besideP99Column, limit: 50, atMost: true, unit: "ms p99 of others"},
}

// figuresOf looks up those of the workloads that were measured, at their first size.
func figuresOf(r *results) []figure {
	list := []figure{}
	for _, w := range allWanted {
		t := r.find(w.workload)
		if t == nil {
			continue
		}
		off, on := inProcess, published
		if w.wire {
			off, on = wire, wirePublished
		}
		list = append(list, w.figure(t, w.value(t, off), w.value(t, on)))
	}
	return list
}

// find returns the first table whose title begins so; nil if there is none.
func (r *results) find(title string) *table {
	for _, t := range r.tables {
		if strings.HasPrefix(t.workload.title, title) {
			return t
		}
	}
	return nil
}

func (w wanted) value(t *table, system string) float64 {
	if w.to != "" {
		return t.ratio(system, w.to, w.column)
	}
	if l := t.line(system); l != nil {
		return median(l.rounds.column(w.column))
	}
	return math.NaN()
}

func (w wanted) figure(t *table, off, on float64) figure {
	f := figure{What: t.workload.title, Off: finite(off), On: finite(on)}
	if w.wire {
		f.What += ", over the wire"
	}
	f.Wanted = "at least "
	if w.atMost {
		f.Wanted = "at most "
	}
	f.Wanted += w.amount()
	if f.Off != nil && f.On != nil {
		f.Reached = "no"
		if w.holds(off) && w.holds(on) {
			f.Reached = "yes"
		}
	}
	return f
}

func (w wanted) amount() string {
	switch {
	case w.to == "":
		return number(w.limit) + " " + w.unit
	case w.column == p50Column:
		return number(w.limit) + " × p50 of " + w.to
	}
	return number(w.limit) + " × " + w.to
}

func (w wanted) holds(value float64) bool {
	if w.atMost {
		return value <= w.limit
	}
	return value >= w.limit
}

func printFigures(w io.Writer, r *results) error {
	figures := figuresOf(r)
	if len(figures) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nfigures to reach\n")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "workload\twanted\tpublisher off\tpublisher on\treached")
	for _, f := range figures {
		reached := f.Reached
		if reached == "" {
			reached = "not measured"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", f.What, f.Wanted, optional(f.Off), optional(f.On), reached)
	}
	return tw.Flush()
}

func optional(value *float64) string {
	if value == nil {
		return "-"
	}
	return number(*value)
}
