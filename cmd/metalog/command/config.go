package command

import (
	"context"
	"iter"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (a *app) configCommand() *cobra.Command {
	return a.noun("config", "Config of the cluster, topics, brokers and groups",
		a.configSet(), a.configList(), a.configDescribe(), a.configDelete())
}

// ofScope makes the body of a command whose first argument is a scope; the rest
// are keys.
func (a *app) ofScope(body func(ctx context.Context, scope events.EntityRef, keys []string) error) func(*cobra.Command, []string) error {
	return a.run(func(ctx context.Context, args []string) error {
		scope, err := events.ParseEntityRef(args[0])
		if err != nil {
			return err
		}
		return body(ctx, scope, args[1:])
	})
}

func (a *app) configSet() *cobra.Command {
	return &cobra.Command{
		Use:     "set SCOPE KEY=VALUE…",
		Short:   "Set keys of a config; others stay",
		Example: "  metalog config set cluster log.retention.ms=604800000\n  metalog config set topic/orders cleanup.policy=compact",
		Args:    cobra.MinimumNArgs(2),
		RunE: a.ofScope(func(ctx context.Context, scope events.EntityRef, texts []string) error {
			var config events.Config
			for _, text := range texts {
				if err := (pairs{&config}).Set(text); err != nil {
					return usageError{err}
				}
			}
			return a.write(ctx, metalog.SetConfig{Scope: scope, Config: config}, a.showConfig(scope))
		}),
	}
}

func (a *app) configList() *cobra.Command {
	return &cobra.Command{
		Use:     "list [SCOPE]",
		Short:   "List all configs, or that of one scope",
		Example: "  metalog config list\n  metalog config list broker/1",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.readViews(ctx, func(from metalog.Reader) error {
				entries, err := listConfigs(ctx, from, args)
				if err != nil {
					return err
				}
				return printList(a, "configs", entries, configColumns...)
			})
		}),
	}
}

// listConfigs reads all configs, or that of the one scope that is named.
func listConfigs(ctx context.Context, from metalog.Reader, scopes []string) (iter.Seq2[events.ConfigEntry, error], error) {
	if len(scopes) == 0 {
		return from.ListConfigs(ctx), nil
	}
	scope, err := events.ParseEntityRef(scopes[0])
	if err != nil {
		return nil, err
	}
	entry, err := from.GetConfig(ctx, scope)
	return listOf([]events.ConfigEntry{entry}), err
}

var configColumns = []column[events.ConfigEntry]{
	{"SCOPE", func(c events.ConfigEntry) any { return c.Scope }},
	{"REVISION", func(c events.ConfigEntry) any { return c.Revision }},
	{"CONFIG", func(c events.ConfigEntry) any { return c.Config }},
}

func (a *app) configDescribe() *cobra.Command {
	return &cobra.Command{
		Use:   "describe SCOPE",
		Short: "Show the config of a scope",
		Args:  cobra.ExactArgs(1),
		RunE: a.ofScope(func(ctx context.Context, scope events.EntityRef, _ []string) error {
			return a.show(ctx, a.showConfig(scope))
		}),
	}
}

func (a *app) configDelete() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete SCOPE [KEY…]",
		Short:   "Take keys out of a config; without a key, all of them",
		Example: "  metalog config delete topic/orders cleanup.policy",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.ofScope(func(ctx context.Context, scope events.EntityRef, keys []string) error {
			return a.write(ctx, metalog.DeleteConfig{Scope: scope, Keys: keys}, a.showConfig(scope))
		}),
	}
	a.dryRunFlag(cmd)
	return cmd
}

// showConfig prints a config as it is after a write.
func (a *app) showConfig(scope events.EntityRef) shower {
	return func(ctx context.Context, from metalog.Reader, _ metalog.Result) error {
		entry, err := from.GetConfig(ctx, scope)
		if err != nil {
			return err
		}
		return a.printObject(entry)
	}
}
