package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options say what to measure.
type options struct {
	workloads []string
	systems   []string
	clients   []int // of commits
	offsets   []int // of a commit
	rows      []int // sizes
	children  int   // of the topic that is deleted
	rounds    int
	window    window
	dir       string // holds what is made; empty: the temporary directory
	json      string // file; empty: none
}

// String tells how to do it again.
func (o options) String() string {
	return fmt.Sprintf("medians of %s of %v, the systems by turns", plural(o.rounds, "round"), o.window.length)
}

func parseOptions(args []string, usage io.Writer) (options, error) {
	o := options{
		workloads: kinds, systems: systemNames(), clients: []int{1, 64, 512}, offsets: []int{1, 50}, rows: []int{10_000},
	}
	f := flag.NewFlagSet("suite", flag.ContinueOnError)
	f.SetOutput(usage)
	f.IntVar(&o.rounds, "rounds", 5, "how often each system's turn comes")
	f.DurationVar(&o.window.length, "duration", 2*time.Second, "of a measurement")
	f.DurationVar(&o.window.warmup, "warmup", 0, "before each measurement (default a fifth of the duration)")
	f.IntVar(&o.children, "children", 10_000, "segments of the topic that is deleted")
	f.StringVar(&o.dir, "dir", "", "directory for what is made, on the disk to measure (default a temporary one)")
	f.StringVar(&o.json, "json", "", "`file` that gets the results as JSON; with 'go run -C' an absolute path")
	f.Func("workloads", listed(kinds), names(&o.workloads, kinds))
	f.Func("systems", listed(systemNames()), names(&o.systems, systemNames()))
	f.Func("clients", "numbers of clients that commit (default 1,64,512)", numbers(&o.clients))
	f.Func("offsets", "numbers of offsets in a commit, up to 50 (default 1,50)", numbers(&o.offsets))
	f.Func("rows", "how many offsets there are before anything is measured, such as 10_000,1_000_000,10_000_000 (default 10_000)", numbers(&o.rows))
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.window.warmup == 0 {
		o.window.warmup = o.window.length / 5
	}
	return o, o.check(f.Args())
}

func (o options) check(args []string) error {
	switch {
	case len(args) > 0:
		return fmt.Errorf("%q: the suite takes flags only", args)
	case o.rounds < 1 || o.window.length <= 0 || o.window.warmup < 0 || o.children < 1:
		return errors.New("-rounds, -duration and -children have to be above zero")
	case slices.Max(o.offsets) > partitions:
		return fmt.Errorf("-offsets: a commit has at most %d", partitions)
	}
	return nil
}

func listed(known []string) string {
	return "`names` with commas between them (default all: " + strings.Join(known, ",") + ")"
}

// names reads names of those that are known; their order stays that of known.
func names(into *[]string, known []string) func(string) error {
	return func(text string) error {
		*into = nil
		given := strings.Split(text, ",")
		for i := range given {
			given[i] = strings.TrimSpace(given[i])
			if !slices.Contains(known, given[i]) {
				return fmt.Errorf("%q is none of: %s", given[i], strings.Join(known, ", "))
			}
		}
		for _, name := range known {
			if slices.Contains(given, name) {
				*into = append(*into, name)
			}
		}
		return nil
	}
}

func numbers(into *[]int) func(string) error {
	return func(text string) error {
		*into = nil
		for part := range strings.SplitSeq(text, ",") {
			n, err := strconv.ParseInt(strings.TrimSpace(part), 0, 0)
			if err != nil || n < 1 {
				return fmt.Errorf("%q is no number above zero", part)
			}
			*into = append(*into, int(n))
		}
		return nil
	}
}
