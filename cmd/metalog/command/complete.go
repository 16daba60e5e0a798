package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

const completeTimeout = 2 * time.Second

// completeTopic offers the names of topics for a first argument.
func (a *app) completeTopic(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, from metalog.Reader) ([]string, error) {
		var names []string
		err := each(from.ListTopics(ctx), func(t events.Topic) error {
			names = append(names, t.Name)
			return nil
		})
		return names, err
	})
}

// completeGroup offers the ids of groups for a first argument.
func (a *app) completeGroup(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, from metalog.Reader) ([]string, error) {
		var ids []string
		err := each(from.ListGroups(ctx), func(g events.Group) error {
			ids = append(ids, g.ID)
			return nil
		})
		return ids, err
	})
}

// completeEntity offers entities for a first argument.
func (a *app) completeEntity(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeEntities("topic/", "group/", "broker/", "transaction/", "producer/", "config/", "cluster")(cmd, args, toComplete)
}

// eventEntities are the entities that events are about.
var eventEntities = []string{"topic/", "group/", "broker/", "producer/", "cluster"}

// completeEntities offers entities of some kinds, topics and groups by name.
func (a *app) completeEntities(kinds ...string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		kind, _, named := strings.Cut(toComplete, "/")
		var names []string
		switch {
		case !named:
			return kinds, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		case kind == "topic":
			names, _ = a.completeTopic(cmd, nil, "")
		case kind == "group":
			names, _ = a.completeGroup(cmd, nil, "")
		}
		for i := range names {
			names[i] = kind + "/" + names[i]
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeType offers the types of events.
func completeType(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
	for _, t := range events.Types() {
		names = append(names, t.String())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeSnapshot offers the seqs of snapshots.
func (a *app) completeSnapshot(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.offer(cmd, func(ctx context.Context) (seqs []string, err error) {
		err = a.read(ctx, func(store fullStore) error {
			list, err := store.ListSnapshots(ctx)
			for _, s := range list {
				seqs = append(seqs, cobra.CompletionWithDesc(fmt.Sprint(s.Seq), s.Time.String()))
			}
			return err
		})
		return seqs, err
	})
}

// completeFlag says what is offered for the value of a flag.
func completeFlag(cmd *cobra.Command, flag string, offered cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, offered); err != nil {
		panic(err) // no such flag: no test of the command gets past its start
	}
}

// complete offers names for a first argument.
func (a *app) complete(cmd *cobra.Command, args []string, names func(context.Context, metalog.Reader) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.offer(cmd, func(ctx context.Context) (offered []string, err error) {
		err = a.readViews(ctx, func(from metalog.Reader) (err error) {
			offered, err = names(ctx, from)
			return err
		})
		return offered, err
	})
}

// offer offers what a store is asked for. Without a store to ask there is nothing to
// offer, and no error helps who presses a key.
func (a *app) offer(cmd *cobra.Command, ask func(context.Context) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	a.dataGiven, a.atGiven = cmd.Flags().Changed("data"), cmd.Flags().Changed("at")
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	offered, err := ask(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return offered, cobra.ShellCompDirectiveNoFileComp
}
