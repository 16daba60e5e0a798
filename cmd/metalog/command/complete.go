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
	return a.complete(cmd, args, func(ctx context.Context, store metalog.MetadataStore) ([]string, error) {
		topics, err := store.ListTopics(ctx)
		names := make([]string, len(topics))
		for i, t := range topics {
			names[i] = t.Name
		}
		return names, err
	})
}

// completeGroup offers the ids of groups for a first argument.
func (a *app) completeGroup(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, args, func(ctx context.Context, store metalog.MetadataStore) ([]string, error) {
		groups, err := store.ListGroups(ctx)
		ids := make([]string, len(groups))
		for i, g := range groups {
			ids[i] = g.ID
		}
		return ids, err
	})
}

// complete offers names for a first argument. Without a store to ask there is
// nothing to offer, and no error helps who presses a key.
func (a *app) complete(cmd *cobra.Command, args []string, names func(context.Context, metalog.MetadataStore) ([]string, error)) (offered []string, _ cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	if len(args) > 0 {
		return nil, none
	}
	a.dataGiven = cmd.Flags().Changed("data")
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	err := a.read(ctx, func(store metalog.MetadataStore) (err error) {
		offered, err = names(ctx, store)
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return offered, none
}
