package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/metalog/metalog/tests/bench/suite/peers"
)

// suite runs all workloads. One system is open at a time: none does anything in the
// background while another one is measured.
type suite struct {
	options    options
	dir        string
	candidates []candidate
	progress   io.Writer
	runs       int // so far
	results    results
}

// candidates are all systems, in the order of the tables. The bare log is the last:
// it writes as metalog did in the same round.
func candidates() []candidate {
	written := &groupStats{}
	list := []candidate{
		metalogCandidate(inProcess, partsOptions{}, written),
		metalogCandidate(published, partsOptions{publish: true}, nil),
		metalogCandidate(wire, partsOptions{wire: true}, nil),
		metalogCandidate(wirePublished, partsOptions{wire: true, publish: true}, nil),
	}
	for _, p := range peers.All {
		list = append(list, peerCandidate(p))
	}
	return append(list, bareLogCandidate(written))
}

func systemNames() []string {
	var list []string
	for _, c := range candidates() {
		list = append(list, c.name)
	}
	return list
}

func newSuite(o options, dir string, progress io.Writer) *suite {
	all := slices.DeleteFunc(candidates(), func(c candidate) bool { return !slices.Contains(o.systems, c.name) })
	return &suite{options: o, dir: dir, candidates: all, progress: progress, results: results{options: o}}
}

func (s *suite) say(format string, args ...any) {
	fmt.Fprintf(s.progress, "%s  "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}

// run measures all that the options ask for. A system that fails is told of in its
// line, and the others go on.
func (s *suite) run(ctx context.Context) (err error) {
	if s.results.machine, err = lookAt(s.dir); err != nil {
		return err
	}
	s.say("%s", s.results.machine)
	s.say("this takes about %v", s.estimate())
	for _, rows := range s.options.rows {
		if err := s.size(ctx, shapeOf(rows)); err != nil {
			return err
		}
	}
	return nil
}

// estimate is of all measurements, each with opening and closing its system.
func (s *suite) estimate() time.Duration {
	const around = 700 * time.Millisecond
	o := s.options
	one := o.window.warmup + o.window.length + around
	n := len(o.rows) * len(workloads(o)) * o.rounds * len(s.candidates)
	return (time.Duration(n) * one).Round(time.Minute) + time.Minute
}

// size loads all systems with so many rows, runs all workloads on them, and removes
// what was made.
func (s *suite) size(ctx context.Context, rows shape) error {
	dir := filepath.Join(s.dir, fmt.Sprint("rows-", rows.rows))
	absent := map[string]string{} // by system
	for _, c := range s.candidates {
		if why := s.load(ctx, c, dir, rows); why != "" {
			absent[c.name] = why
			s.say("!! %s: %s", c.name, why)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	for _, w := range workloads(s.options) {
		t := &table{workload: w, rows: rows.rows}
		s.results.tables = append(s.results.tables, t)
		if err := s.workload(ctx, t, dir, rows, absent); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}

// load returns why there is nothing to measure; empty: there is.
func (s *suite) load(ctx context.Context, c candidate, dir string, rows shape) string {
	if c.find != nil {
		if err := c.find(); err != nil {
			return fmt.Sprintf(skip+"%v", err)
		}
	}
	if c.maxRows > 0 && rows.rows > c.maxRows {
		return fmt.Sprintf(skip+"it takes too long to load more than %d rows", c.maxRows)
	}
	began := time.Now()
	err := s.with(ctx, c, dir, usualClients, func(sys system) error { return sys.load(ctx, rows) })
	if err != nil {
		return fmt.Sprintf(failure+"%v", err)
	}
	s.say("%s: %d rows loaded in %v", c.name, rows.rows, time.Since(began).Round(time.Millisecond))
	return ""
}

// with opens a system, has it used, and closes it.
func (s *suite) with(ctx context.Context, c candidate, dir string, clients int, use func(system) error) error {
	dir = filepath.Join(dir, c.name)
	if err := os.MkdirAll(dir, 0o755); err != nil { // another user may have to come in
		return err
	}
	sys, err := c.open(ctx, dir, clients)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	err = use(sys)
	if closeErr := sys.Close(ctx); err == nil && closeErr != nil {
		err = fmt.Errorf("close: %w", closeErr)
	}
	return err
}

// workload measures the systems by turns, round by round. Who comes first changes.
func (s *suite) workload(ctx context.Context, t *table, dir string, rows shape, absent map[string]string) error {
	var measured []candidate
	for _, c := range s.candidates {
		if c.name == bareLog && !t.workload.bareLogDoes() {
			continue
		}
		t.lines = append(t.lines, &line{system: c.name, absent: absent[c.name]})
		measured = append(measured, c)
	}
	for round := range s.options.rounds {
		s.say("%s, %d rows: round %d of %d", t.workload.title, rows.rows, round+1, s.options.rounds)
		for _, i := range turns(len(measured), round) {
			if l := t.lines[i]; l.absent == "" {
				s.turn(ctx, t.workload, measured[i], l, dir, rows)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// turns is the order of n systems in a round. The last one stays: it may be the bare
// log, which needs what metalog did.
func turns(n, round int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if n > 1 {
		for i := range n - 1 {
			order[i] = (i + round) % (n - 1)
		}
	}
	return order
}

// turn measures a system once.
func (s *suite) turn(ctx context.Context, w workload, c candidate, l *line, dir string, rows shape) {
	s.runs++
	r := run{shape: rows, clients: w.clients, window: s.options.window, number: s.runs}
	var values []float64
	err := s.with(ctx, c, dir, w.clients, func(sys system) (err error) {
		r.system = sys
		runtime.GC() // what the one before left
		if values, err = w.measure(ctx, r); err != nil {
			return err
		}
		if n, ok := sys.(noter); ok {
			l.note, err = n.note(ctx)
		}
		return err
	})
	if err != nil {
		l.absent = fmt.Sprintf(failure+"%v", err)
		if ctx.Err() == nil {
			s.say("!! %s: %s: %s", w.title, c.name, l.absent)
		}
		return
	}
	l.rounds = append(l.rounds, values)
}
