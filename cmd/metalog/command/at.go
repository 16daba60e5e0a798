package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// point is a flag of a point in the log. Days and times without a zone are those
// of this machine.
type point struct{ at *metalog.Point }

var _ pflag.Value = point{}

func (p point) Set(s string) (err error) {
	if *p.at, err = metalog.ParsePoint(s, time.Now()); err != nil {
		return errors.New(err.Error()) // of the command line, not of the store
	}
	return nil
}

func (p point) String() string { return "" }
func (p point) Type() string   { return "point" }

// viewCommands are the commands that take --at: all that they read goes through
// readViews, but for blame, which the log answers.
var viewCommands = []string{
	"info",
	"topic list", "topic describe",
	"segment list", "segment describe", "segment find",
	"broker list", "broker describe",
	"partition list", "partition describe", "partition leader", "partition replicas", "partition watermark",
	"group list", "group describe",
	"offset list", "offset list-topic", "offset describe",
	"config list", "config describe",
	"txn list", "txn describe",
	"export",
	"blame",
}

// checkAt refuses --at where it would be ignored.
func (a *app) checkAt(cmd *cobra.Command) error {
	a.atGiven = cmd.Flags().Changed("at")
	switch path := pathOf(cmd); {
	case !a.atGiven, slices.Contains(viewCommands, path):
		return nil
	case strings.HasPrefix(path, "events "), path == "history":
		return usagef("--at shows what was there, and this is the log itself; --to or --until ends a list of events")
	}
	return errAt
}

var errAt = usagef("--at goes with commands that show what is there, such as 'topic list'; leave it out")

// readViews runs a command that reads nothing but views: as they are, or as they
// were at the point that --at gives. Then it says on standard error which record
// that was.
func (a *app) readViews(ctx context.Context, body func(metalog.Reader) error) error {
	return a.read(ctx, func(store fullStore) error {
		if !a.atGiven {
			return body(store)
		}
		view, err := store.At(ctx, a.at)
		if err != nil {
			return err
		}
		info, err := view.Info(ctx)
		if err == nil {
			a.tellPoint(info.Seq, info.Time)
			err = body(view)
		}
		return errors.Join(err, view.Close())
	})
}

func (a *app) tellPoint(seq uint64, at events.Time) {
	fmt.Fprintf(a.err, "as of seq %d, %s\n", seq, at)
}

// completePoint offers ways to write a point.
func completePoint(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{
		"now", "-1h\tan hour ago", "-1d\ta day ago", "today", "yesterday",
		events.TimeOf(time.Now()).String(),
	}, cobra.ShellCompDirectiveNoFileComp
}
