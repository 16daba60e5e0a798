package command

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/metalog/metalog/events"
)

// The exit statuses. Scripts depend on them.
const (
	exitDone        = 0
	exitRefused     = 1 // the store refused: nothing was changed
	exitUsage       = 2 // the command line is wrong
	exitCorrupt     = 3 // damaged data, or a check that failed
	exitUnavailable = 4 // not done, or not known whether it was done
)

// usageError is an error of the command line that only the command itself can
// find.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// report prints an error as one line and returns the exit status for it.
func (a *app) report(cmd *cobra.Command, err error) int {
	path := pathOf(cmd)
	status := a.exitStatus(err)
	switch {
	case status == exitUsage:
		a.complain("%s; '%s --help' shows how it is used", prefixed(path, err), cmd.CommandPath())
	case events.CodeOf(err) == events.CodeInvalid, events.CodeOf(err) == events.CodeTooLarge:
		a.complain("%s", prefixed(path, err))
	default:
		a.complain("%s", err)
	}
	return status
}

// pathOf is a command's name without the program's: "topic list".
func pathOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()), " ")
}

func prefixed(path string, err error) string {
	if path == "" {
		return err.Error()
	}
	return path + ": " + err.Error()
}

// complain prints a line to standard error.
func (a *app) complain(format string, args ...any) {
	line := strings.Join(strings.Split(fmt.Sprintf(format, args...), "\n"), "; ")
	fmt.Fprintln(a.err, "metalog: "+line)
}

// exitStatus tells errors of the command line, which come before the command
// runs, from those of the store.
func (a *app) exitStatus(err error) int {
	_, coded := errors.AsType[*events.Error](err)
	_, usage := errors.AsType[usageError](err)
	switch {
	case usage, !a.begun && !coded:
		return exitUsage
	}
	switch events.CodeOf(err) {
	case events.CodeCorrupt:
		return exitCorrupt
	case events.CodeUnavailable, events.CodeOutcomeUnknown:
		return exitUnavailable
	}
	return exitRefused
}

// flagError words an error in the flags. A negative number among the arguments
// looks like flags, but is refused as the store would refuse it. Flags of plain
// numbers tell what the parser told them.
func flagError(_ *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if flags := e.GetSpecifiedShortnames(); flags != "" && flags[0] >= '0' && flags[0] <= '9' {
			return events.Errorf(events.CodeInvalid, "-%s: must be 0 or more", flags)
		}
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		if _, ok := errors.AsType[*strconv.NumError](err); ok {
			return fmt.Errorf("--%s: %q is not %s", e.GetFlag().Name, e.GetValue(), numberOf(e.GetFlag()))
		}
	}
	return err
}

// numberOf is what a flag takes.
func numberOf(flag *pflag.Flag) string {
	switch flag.Value.Type() {
	case "bool":
		return "true or false"
	case "uint64":
		return "a whole number in range (0 or more)"
	}
	return "a whole number in range"
}

// unknownVerb names the verbs that look like the one that was given.
func unknownVerb(noun *cobra.Command, verb string) error {
	if similar := noun.SuggestionsFor(verb); len(similar) > 0 {
		return fmt.Errorf("%q is not known; did you mean %s?", verb, strings.Join(similar, ", "))
	}
	return fmt.Errorf("%q is not known", verb)
}
