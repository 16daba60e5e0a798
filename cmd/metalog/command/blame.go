package command

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (a *app) blameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "blame ENTITY",
		Short: "Show for each field of an entity which event set it, when, and who did it",
		Long: `Show for each field of an entity the event that gave it its value, with time and
actor, and what that event was caused by. An event that sets a field to the value that
it has already does not count; of offsets and high watermarks the last one does.
` + entityHelp + `

Of topics and groups that had the name one after the other it is the last one; of one
that was deleted, the fields are as they were before.`,
		Example:           "  metalog blame topic/orders\n  metalog blame topic/orders/partition/3 --at -2h\n  metalog blame config/cluster -o json",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeEntity,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.read(ctx, func(store fullStore) error {
				report, err := store.Blame(ctx, args[0], a.at)
				if err != nil {
					return err
				}
				return a.printBlame(report)
			})
		}),
	}
}

func (a *app) printBlame(report metalog.BlameReport) error {
	if a.atGiven {
		a.tellPoint(report.Seq, report.Time)
	}
	switch a.format {
	case formatJSONL:
		return printList(a, "fields", listOf(report.Fields))
	case formatTable:
	default:
		return a.printValue(report)
	}
	if d := report.Deleted; d != nil {
		fmt.Fprintf(a.out, "deleted by %s (%s, %s)\n", blamedText(*d), cellText(actorText(d.Actor)), d.Time)
		if d.Root != nil {
			fmt.Fprintf(a.out, "because of %s\n", rootText(d.Root))
		}
		fmt.Fprintln(a.out, "its fields before that:")
	}
	return printTable(a.out, report.Fields, blameColumns)
}

var blameColumns = []column[metalog.BlameField]{
	{"FIELD", func(f metalog.BlameField) any { return f.Field }},
	{"VALUE", func(f metalog.BlameField) any { return shortValue(f.Value) }},
	{"POSITION", func(f metalog.BlameField) any { return events.Position{Seq: f.Seq, Index: f.Index} }},
	{"TYPE", func(f metalog.BlameField) any { return f.Type }},
	{"TIME", func(f metalog.BlameField) any { return f.Time }},
	{"ACTOR", func(f metalog.BlameField) any { return f.Actor }},
	{"BECAUSE OF", func(f metalog.BlameField) any { return rootText(f.Root) }},
}

const valueWidth = 40 // of a value in a table, in characters

// shortValue is a field's value in one line, its end left out if it is long.
func shortValue(value json.RawMessage) string {
	text := []rune(valueText(value))
	if len(text) > valueWidth {
		return string(text[:valueWidth-1]) + "…"
	}
	return string(text)
}

func blamedText(b metalog.Blamed) string {
	return fmt.Sprintf("%s %s %s", events.Position{Seq: b.Seq, Index: b.Index}, b.Type, cellText(b.Entity))
}

// rootText is what an event goes back to, and who did that.
func rootText(root *metalog.Blamed) string {
	if root == nil {
		return ""
	}
	return fmt.Sprintf("%s (%s)", blamedText(*root), actorText(root.Actor))
}
