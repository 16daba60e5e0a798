package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// diffFlags say what to compare and how to show it.
type diffFlags struct {
	metalog.DiffOptions
	summary  bool // show counts only
	exitCode bool
	color    colorMode
}

func (a *app) diffCommand() *cobra.Command {
	flags := diffFlags{color: colorAuto}
	cmd := &cobra.Command{
		Use:   "diff A [B]",
		Short: "Show what differs between two points in the log",
		Long: `Show what was added, removed and changed from point A to point B, field by field. A
point is a seq, now (B without one), a time in RFC 3339, one ago such as -2h or -3d, or
a day and a time such as 'yesterday 14:00'.

Lines begin with + for what B has and A has not, - for the reverse, and ~ for what both
have and differs. A topic or group that was deleted and created again under its old name
is shown as both removed and added, with its ids. Only what an entity is like counts: one
that has another revision and is otherwise the same is not shown.

--entity names what to compare, with all below it: topic/NAME,
topic/NAME/partition/N, topic/NAME/segment/ID, group/ID, group/ID/offset/TOPIC/N,
broker/ID, transaction/TRANSACTIONAL-ID, producer/ID or cluster; or a kind of entity:
cluster, broker, topic, partition, segment, group, offset or transaction.

The exit status is 0 also when something differs, unless --exit-code is given: then it
is 1.`,
		Example: `  metalog diff 'yesterday 14:00' now
  metalog diff -2h --entity topic/orders --entity group/billing
  metalog diff 1042 1100 --summary
  metalog diff 1042 now --entity partition -o jsonl`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: completePoint,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.diff(ctx, append(args, "now"), flags)
		}),
	}
	f := cmd.Flags()
	f.StringArrayVar(&flags.Entities, "entity", nil, "compare only this `entity` and what is below it, or this kind; repeatable")
	f.BoolVar(&flags.summary, "summary", false, "show only how many entities differ")
	f.BoolVar(&flags.exitCode, "exit-code", false, "end with exit status 1 if anything differs")
	f.Var(&flags.color, "color", "auto (on a terminal, without NO_COLOR), always or never")
	completeFlag(cmd, "entity", a.completeEntities(diffEntities()...))
	completeFlag(cmd, "color", cobra.FixedCompletions([]string{string(colorAuto), string(colorAlways), string(colorNever)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// diffEntities are what --entity takes: entities, and kinds of them.
func diffEntities() []string {
	list := []string{"topic/", "group/", "broker/", "transaction/", "producer/"}
	for _, noun := range metalog.DiffNouns {
		list = append(list, string(noun))
	}
	return list
}

// ago looks like a point in time, and to who reads flags like some.
var ago = regexp.MustCompile(`^-\d[\d.]*[dhms]`)

// quotePoints keeps points such as -2h from being read as flags by commands whose
// arguments are points: with a space before it it is the same point.
func quotePoints(args []string) []string {
	if !slices.Contains(args, "diff") {
		return args
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if ago.MatchString(arg) {
			args[i] = " " + arg
		}
	}
	return args
}

// diff shows what differs between the first two points.
func (a *app) diff(ctx context.Context, points []string, flags diffFlags) error {
	var at [2]metalog.Point
	for i := range at {
		var err error
		if at[i], err = metalog.ParsePoint(points[i], time.Now()); err != nil {
			return err
		}
	}
	return a.read(ctx, func(store fullStore) error {
		diff, err := store.Diff(ctx, at[0], at[1], flags.DiffOptions)
		if err != nil {
			return err
		}
		p := a.diffPrinter(diff, flags)
		if err := p.printAll(); err != nil {
			return err
		}
		if flags.exitCode && p.counts.total() > 0 {
			return events.Errorf(events.CodeConflict, "seq %d and seq %d differ: %s", diff.From.Seq, diff.To.Seq, p.counts)
		}
		return nil
	})
}

// colorMode says when to print colours.
type colorMode string

const (
	colorAuto   colorMode = "auto"
	colorAlways colorMode = "always"
	colorNever  colorMode = "never"
)

// Set implements pflag.Value.
func (c *colorMode) Set(s string) error {
	switch mode := colorMode(s); mode {
	case colorAuto, colorAlways, colorNever:
		*c = mode
		return nil
	}
	return errors.New("it is auto, always or never")
}

func (c *colorMode) String() string { return string(*c) }

// Type implements pflag.Value.
func (c *colorMode) Type() string { return "when" }

// diffCounts are the numbers of differences of each noun.
type diffCounts []diffCount

type diffCount struct {
	Noun    string `json:"noun"`
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
	Changed int    `json:"changed"`
}

// noCounts has each noun, in their order.
func noCounts() diffCounts {
	var c diffCounts
	for _, noun := range metalog.DiffNouns {
		c = append(c, diffCount{Noun: string(noun)})
	}
	return c
}

// add counts a difference.
func (c diffCounts) add(d metalog.Difference) {
	of := &c[slices.Index(metalog.DiffNouns, d.Noun)]
	switch d.Kind {
	case metalog.DiffAdded:
		of.Added++
	case metalog.DiffRemoved:
		of.Removed++
	default:
		of.Changed++
	}
}

// MarshalJSON writes the nouns that differ.
func (c diffCounts) MarshalJSON() ([]byte, error) {
	differing := slices.DeleteFunc(slices.Clone(c), func(of diffCount) bool { return of.total() == 0 })
	return json.Marshal([]diffCount(differing))
}

func (of diffCount) total() int { return of.Added + of.Removed + of.Changed }

func (c diffCounts) total() (n int) {
	for _, of := range c {
		n += of.total()
	}
	return n
}

// String is the counts in one line: topic +1 ~2, offset -3.
func (c diffCounts) String() string {
	var nouns []string
	for _, of := range c {
		if of.total() == 0 {
			continue
		}
		text := of.Noun
		for _, n := range []struct {
			sign  string
			count int
		}{{"+", of.Added}, {"-", of.Removed}, {"~", of.Changed}} {
			if n.count > 0 {
				text += fmt.Sprintf(" %s%d", n.sign, n.count)
			}
		}
		nouns = append(nouns, text)
	}
	return strings.Join(nouns, ", ")
}
