package command

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
)

const completeTimeout = 2 * time.Second

// completeTopic offers the names of topics for a first argument.
func (a *app) completeTopic(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, from metalog.Reader) ([]string, error) {
		topics, err := from.ListTopics(ctx)
		names := make([]string, len(topics))
		for i, t := range topics {
			names[i] = t.Name
		}
		return names, err
	})
}

// completeGroup offers the ids of groups for a first argument.
func (a *app) completeGroup(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, from metalog.Reader) ([]string, error) {
		groups, err := from.ListGroups(ctx)
		ids := make([]string, len(groups))
		for i, g := range groups {
			ids[i] = g.ID
		}
		return ids, err
	})
}

// complete offers names for a first argument. Without a store to ask there is
// nothing to offer, and no error helps who presses a key.
func (a *app) complete(cmd *cobra.Command, args []string, names func(context.Context, metalog.Reader) ([]string, error)) (offered []string, _ cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	if len(args) > 0 {
		return nil, none
	}
	a.dataGiven, a.atGiven = cmd.Flags().Changed("data"), cmd.Flags().Changed("at")
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	err := a.readViews(ctx, func(from metalog.Reader) (err error) {
		offered, err = names(ctx, from)
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return offered, none
}
