package command

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (a *app) applyCommand() *cobra.Command {
	var (
		file string
		opts applyOptions
	)
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Do commands in bulk, one JSON object a line",
		Long: `Do commands in bulk, one JSON object a line: the command's name as "op", its fields,
and if wanted "command_id", "if_revision" and "reason". Empty lines and those that
begin with # are skipped. Commands are done in their order, one after the other.

A command with a "command_id" is done once, so the same file can be applied again
after it was interrupted. Of an export, a missing end is an error.`,
		Example: `  metalog apply -f catalogue.jsonl
  echo '{"op":"topic.create","name":"orders","partitions":6,"replication_factor":3}' | metalog apply -f -`,
		Args: cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			in, name, err := a.input(file)
			if err != nil {
				return err
			}
			defer func() { _ = in.Close() }() // only read from
			opts.name, opts.actor = name, a.options().Actor
			return a.apply(ctx, in, opts)
		}),
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "`file` of commands; - is standard input")
	f.BoolVar(&opts.keepGoing, "continue", false, "go on after a command that was refused")
	f.BoolVar(&opts.parseOnly, "dry-run", false, "only check that each line is a command")
	require(cmd, "file")
	return cmd
}

// input opens a file, or standard input for "-".
func (a *app) input(file string) (in io.ReadCloser, name string, err error) {
	if file == "-" {
		return io.NopCloser(a.in), "standard input", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, "", usageError{err}
	}
	return f, file, nil
}

// apply applies a file to what the global flags name, and prints the counts.
func (a *app) apply(ctx context.Context, in io.Reader, opts applyOptions) error {
	opts.refused = func(err error) { a.complain("%s", err) }
	meter := a.meter("lines")
	opts.meter = meter
	var counts applyCounts
	var err error
	if opts.parseOnly {
		counts, err = applyLines(ctx, nil, in, opts)
	} else if store, openErr := a.open(ctx, false); openErr != nil {
		return openErr
	} else {
		counts, err = applyLines(ctx, store, in, opts)
		err = errors.Join(err, store.Close())
	}
	meter.end()
	return errors.Join(a.say(counts, "%s: %d applied, %d unchanged, %d repeated, %d refused",
		plural(counts.Lines, "line"), counts.Applied, counts.Unchanged, counts.Repeated, counts.Refused), err)
}

// applyOptions say how to apply a file.
type applyOptions struct {
	name      string // of the file, for messages
	actor     string
	keepGoing bool // after a refusal
	parseOnly bool
	refused   func(error) // told of refusals that it goes on after
	meter     *meter
}

// applyCounts count what became of the lines that hold commands.
type applyCounts struct {
	Lines     int `json:"lines"`
	Applied   int `json:"applied"`
	Unchanged int `json:"unchanged"` // nothing to do
	Repeated  int `json:"repeated"`  // done before, by command id
	Refused   int `json:"refused"`
}

// applyLines does the commands of a file in order. It ends at the first error,
// which names the line; with keepGoing at the first that is not a refusal, and
// the refusals are one error at the end.
func applyLines(ctx context.Context, store metalog.Executor, in io.Reader, opts applyOptions) (counts applyCounts, err error) {
	var export metalog.ExportCheck
	lines := newLineReader(in)
	lines.comment = export.Comment
	var first error
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			if err := export.Err(counts.Lines); err != nil {
				return counts, events.Errorf(events.CodeOf(err), "%s: %w", opts.name, err)
			}
			return counts, summary(first, counts)
		}
		counts.Lines++
		opts.meter.show(reached{count: int64(counts.Lines)})
		if err == nil {
			err = counts.do(ctx, store, line, opts)
		}
		if err == nil {
			continue
		}
		err = events.Errorf(events.CodeOf(err), "%s:%d: %w", opts.name, lines.number, err)
		if !isRefusal(err) {
			return counts, err
		}
		counts.Refused++
		if !opts.keepGoing {
			return counts, err
		}
		opts.refused(err)
		if first == nil {
			first = err
		}
	}
}

// summary is the error of a file in which commands were refused, with the code
// of the first one.
func summary(first error, counts applyCounts) error {
	if first == nil {
		return nil
	}
	return events.Errorf(events.CodeOf(first), "%d of %d commands were refused; correct those lines and apply them again", counts.Refused, counts.Lines)
}

// isRefusal reports whether an error is about one command: others may succeed.
func isRefusal(err error) bool {
	switch events.CodeOf(err) {
	case events.CodeUnavailable, events.CodeOutcomeUnknown, events.CodeCorrupt:
		return false
	}
	return true
}

// do does the command of a line and counts what became of it.
func (c *applyCounts) do(ctx context.Context, store metalog.Executor, line []byte, opts applyOptions) error {
	cmd, o, err := metalog.ParseLine(line)
	if err != nil {
		return err
	}
	o.Actor = opts.actor
	var result metalog.Result
	if opts.parseOnly {
		err = metalog.Validate(cmd, o)
	} else {
		result, err = store.Execute(ctx, cmd, o)
	}
	switch {
	case err != nil:
		return events.Errorf(events.CodeOf(err), "%s: %w", cmd.Op(), err)
	case opts.parseOnly:
	case result.Repeated:
		c.Repeated++
	case result.Unchanged:
		c.Unchanged++
	default:
		c.Applied++
	}
	return nil
}
