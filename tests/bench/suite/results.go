package main

import "strings"

// results are all that was measured, in the order in which it is told.
type results struct {
	machine machine
	options options
	tables  []*table
}

// table is one workload at one size.
type table struct {
	workload workload
	rows     int // of offsets, before it began
	lines    []*line
}

// line is one system in a table.
type line struct {
	system string
	rounds rounds
	note   string
	absent string // why it was not measured, or not to the end; empty: it was
}

// line finds a system's; nil: it has none that was measured.
func (t *table) line(system string) *line {
	for _, l := range t.lines {
		if l.system == system && l.absent == "" {
			return l
		}
	}
	return nil
}

// ratio of two systems in a column; NaN if one was not measured.
func (t *table) ratio(of, to string, column int) float64 {
	a, b := t.line(of), t.line(to)
	if a == nil || b == nil {
		return median(nil)
	}
	return ratio(a.rounds, b.rounds, column)
}

// failed tells whether a system broke off.
func (r *results) failed() bool {
	for _, t := range r.tables {
		for _, l := range t.lines {
			if l.broken() {
				return true
			}
		}
	}
	return false
}

// broken tells whether a system failed, rather than being left out.
func (l *line) broken() bool { return strings.HasPrefix(l.absent, failure) }

// How the reasons begin for which a system is absent.
const failure, skip = "failed: ", "skipped: "
