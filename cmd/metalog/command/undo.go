package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
)

func (a *app) undoCommand() *cobra.Command {
	var opts metalog.UndoOptions
	cmd := &cobra.Command{
		Use:   "undo SEQ",
		Short: "Bring back what a record changed",
		Long: `Bring what a record changed back to what it was before, with one more record that
names it as its cause; where it takes several, an undo that was interrupted goes on
when it is asked for again. An undo can be undone.

It is refused when later records changed the same things. --force then overwrites
what they did. It also makes replicas in sync that may lack data, when else none
were, and takes away a broker that is still a replica. Ids, revisions and times are
new; the plan says what else differs or does not come back.`,
		Example:           "  metalog undo 42 --dry-run\n  metalog undo 42 --reason 'deleted by mistake'",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: a.run(func(ctx context.Context, args []string) (err error) {
			if opts.Seq, err = parseUint64(args[0]); err != nil {
				return usagef("SEQ: %w", err)
			}
			return a.read(ctx, func(store fullStore) error { return a.undo(ctx, store, opts) })
		}),
	}
	cmd.Flags().BoolVar(&opts.Force, "force", false, "also where later records changed the same things, or data may be lost")
	a.dryRunFlag(cmd)
	return cmd
}

func (a *app) undo(ctx context.Context, store fullStore, opts metalog.UndoOptions) error {
	given := a.options()
	with := func(o *metalog.CommandOptions) { *o = given }
	if a.dryRun {
		plan, err := store.PlanUndo(ctx, opts, with)
		if err != nil {
			return err
		}
		if a.format == formatTable {
			a.printUndo(plan.UndoSummary, opts.Force, "would append")
		} else if err := a.printValue(plan); err != nil {
			return err
		}
		return plan.Refusal(opts.Force)
	}
	report, err := store.Undo(ctx, opts, with)
	if err != nil {
		return err
	}
	if a.format != formatTable {
		return a.printValue(report)
	}
	a.printUndo(report.UndoSummary, opts.Force, "appended")
	if n := len(report.Results); n > 0 {
		fmt.Fprintf(a.out, "\nundone by %s\n", seqsOf(report.Results))
	}
	return nil
}

// seqsOf names the records of an undo.
func seqsOf(results []metalog.Result) string {
	seqs := make([]string, len(results))
	for i, r := range results {
		seqs[i] = fmt.Sprint(r.Seq)
	}
	if n := len(seqs); n > 4 {
		seqs = append(seqs[:2], "…", seqs[n-1])
	}
	return "seq " + strings.Join(seqs, ", ")
}

// printUndo prints what an undo comes to, for people: counts, and one thing of
// many.
func (a *app) printUndo(s metalog.UndoSummary, force bool, done string) {
	u := s.Undoes
	fmt.Fprintf(a.out, "seq %d: %s of %s", u.Seq, u.Type, cellText(u.Entity))
	if u.EventCount > 1 {
		fmt.Fprintf(a.out, ", %d events", u.EventCount)
	}
	if u.Records > 1 {
		fmt.Fprintf(a.out, " in %d records", u.Records)
	}
	fmt.Fprintf(a.out, ", by %s at %s\n", cellText(u.Actor), u.Time)
	if s.EventCount == 0 {
		fmt.Fprintln(a.out, nothingToUndo(s))
	} else {
		fmt.Fprintf(a.out, "%s %s in %s:\n", done, plural(s.EventCount, "event"), plural(s.RecordCount, "record"))
		printUndoTable(a, "", s.Steps, undoStepColumns)
	}
	printUndoTable(a, "is not as it was before:", s.Differs, undoDifferenceColumns)
	printUndoTable(a, "does not come back:", s.Lost, undoLossColumns)
	title := "in conflict with it:"
	if s.Refusal(force) == nil {
		title = "done since, and overwritten:"
	}
	printUndoTable(a, title, s.Conflicts, undoConflictColumns)
}

func nothingToUndo(s metalog.UndoSummary) string {
	switch n := len(s.UndoneBy); {
	case n > 0 && len(s.Conflicts) == 0:
		return fmt.Sprintf("undone already, by seq %d", s.UndoneBy[n-1])
	case len(s.Conflicts) > 0:
		return "nothing can be done about it now"
	case len(s.Lost) > 0:
		return "nothing of it can come back"
	}
	return "nothing to undo: what it changed is as it was before, or gone"
}

func printUndoTable[T any](a *app, title string, rows []T, columns []column[T]) {
	if len(rows) == 0 {
		return
	}
	if title != "" {
		fmt.Fprintf(a.out, "\n%s\n", title)
	}
	printTable(a.out, rows, columns) //nolint:errcheck // to the buffer of standard output, which tells when it is flushed
}

var (
	undoStepColumns = []column[metalog.UndoStep]{
		{"COUNT", func(s metalog.UndoStep) any { return s.Count }},
		{"EVENT", func(s metalog.UndoStep) any { return s.Event }},
		{"ENTITY", func(s metalog.UndoStep) any { return s.Entity }},
	}
	undoDifferenceColumns = []column[metalog.UndoDifference]{
		{"COUNT", func(d metalog.UndoDifference) any { return d.Count }},
		{"KIND", func(d metalog.UndoDifference) any { return d.Kind }},
		{"FIELD", func(d metalog.UndoDifference) any { return d.Field }},
		{"BEFORE", func(d metalog.UndoDifference) any { return d.Before }},
		{"AFTER", func(d metalog.UndoDifference) any { return d.After }},
		{"WHY", func(d metalog.UndoDifference) any { return d.Why }},
	}
	undoLossColumns = []column[metalog.UndoLoss]{
		{"COUNT", func(l metalog.UndoLoss) any { return l.Count }},
		{"KIND", func(l metalog.UndoLoss) any { return l.Kind }},
		{"FIRST", func(l metalog.UndoLoss) any { return l.First }},
		{"WHY", func(l metalog.UndoLoss) any { return l.Why }},
	}
	undoConflictColumns = []column[metalog.UndoConflict]{
		{"WHAT", func(c metalog.UndoConflict) any { return c.What }},
		{"WHY", func(c metalog.UndoConflict) any { return c.Why }},
	}
)
