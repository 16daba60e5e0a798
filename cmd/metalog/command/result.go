package command

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// showDone prints what became of a command that leaves nothing to show.
func (a *app) showDone(done string) shower {
	return func(_ context.Context, _ metalog.Reader, r metalog.Result) error {
		switch {
		case r.Repeated:
			done += fmt.Sprintf(": an earlier command of this id did it, seq %d", r.Seq)
		case r.Unchanged:
			return a.say(r, "nothing to change")
		case r.Continues:
			done += fmt.Sprintf(": seq %d, %s, more follow in the background", r.Seq, plural(r.Events, "event"))
		default:
			done += fmt.Sprintf(": seq %d, %s", r.Seq, plural(r.Events, "event"))
		}
		return a.say(r, "%s", cellText(done))
	}
}

// printPlan prints the events of a command that is not done.
func (a *app) printPlan(planned []events.EventView) error {
	if a.format != formatTable {
		return a.printEvents(all(planned))
	}
	counts := map[string]int{}
	for _, e := range planned {
		counts[e.Type]++
	}
	fmt.Fprintf(a.out, "would append %s:\n", plural(len(planned), "event"))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(a.out, "%8d %s\n", counts[name], name)
	}
	if len(planned) == 0 {
		return nil
	}
	fmt.Fprintln(a.out)
	return a.printEvents(all(planned))
}

// require marks flags that a command can't do without.
func require(cmd *cobra.Command, flags ...string) {
	for _, name := range flags {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // no such flag: no test of the command gets past its start
		}
	}
}
