package command

import (
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (a *app) groupCommand() *cobra.Command {
	return a.noun("group", "Consumer groups",
		a.groupCreate(), a.groupList(), a.groupDescribe(), a.groupUpdate(), a.groupDelete())
}

func (a *app) groupCreate() *cobra.Command {
	c := metalog.CreateGroup{}
	cmd := &cobra.Command{
		Use:     "create ID",
		Short:   "Create an empty group",
		Example: "  metalog group create billing --protocol-type consumer --protocol range",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.ID = args[0]
			return a.write(ctx, c, a.showGroup(c.ID))
		}),
	}
	f := cmd.Flags()
	f.StringVar(&c.ProtocolType, "protocol-type", "consumer", "protocol type")
	f.StringVar(&c.Protocol, "protocol", "", "protocol")
	return cmd
}

func (a *app) groupList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all groups",
		Args:  cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.readViews(ctx, func(from metalog.Reader) error {
				return printList(a, "groups", from.ListGroups(ctx), groupColumns...)
			})
		}),
	}
}

var groupColumns = []column[events.Group]{
	{"ID", func(g events.Group) any { return g.ID }},
	{"STATE", func(g events.Group) any { return g.State }},
	{"PROTOCOL TYPE", func(g events.Group) any { return g.ProtocolType }},
	{"PROTOCOL", func(g events.Group) any { return g.Protocol }},
	{"GENERATION", func(g events.Group) any { return g.Generation }},
	{"MEMBERS", func(g events.Group) any { return len(g.Members) }},
	{"REVISION", func(g events.Group) any { return g.Revision }},
}

func (a *app) groupDescribe() *cobra.Command {
	return &cobra.Command{
		Use:               "describe ID",
		Short:             "Show a group with its members",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeGroup,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.show(ctx, a.showGroup(args[0]))
		}),
	}
}

func (a *app) groupUpdate() *cobra.Command {
	var (
		c           metalog.UpdateGroup
		membersFile string
	)
	cmd := &cobra.Command{
		Use:   "update ID",
		Short: "Replace the parts of a group's state that are given",
		Example: "  metalog group update billing --state Stable --generation 4 --leader c1 --members-file members.json\n" +
			"  echo '[]' | metalog group update billing --state Empty --members-file -",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeGroup,
		RunE: a.run(func(ctx context.Context, args []string) (err error) {
			c.ID = args[0]
			if membersFile != "" {
				if c.Members, err = a.readMembers(membersFile); err != nil {
					return err
				}
			}
			return a.write(ctx, c, a.showGroup(c.ID))
		}),
	}
	f := cmd.Flags()
	f.Var(optionalGroupState(&c.State), "state", "Empty, PreparingRebalance, CompletingRebalance, Stable or Dead")
	f.Var(optionalString(&c.ProtocolType), "protocol-type", "protocol type")
	f.Var(optionalString(&c.Protocol), "protocol", "protocol")
	f.Var(optionalInt32(&c.Generation), "generation", "generation; it never goes back")
	f.Var(optionalString(&c.Leader), "leader", "id of the member that leads")
	f.StringVar(&membersFile, "members-file", "", "`file` with all members as a JSON list (bytes in base64); - is standard input")
	cmd.MarkFlagsOneRequired("state", "protocol-type", "protocol", "generation", "leader", "members-file")
	return cmd
}

func optionalGroupState(field **events.GroupState) optional[events.GroupState] {
	return optional[events.GroupState]{field, func(s string) (events.GroupState, error) { return events.GroupState(s), nil }, "state"}
}

// readMembers reads a list of members.
func (a *app) readMembers(file string) (*[]events.Member, error) {
	in, name, err := a.input(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }() // only read from
	text, err := io.ReadAll(io.LimitReader(in, metalog.MaxCommandBytes+1))
	if err != nil {
		return nil, usagef("%s: %w", name, err)
	}
	if len(text) > metalog.MaxCommandBytes {
		return nil, events.Errorf(events.CodeTooLarge, "%s has more than %d bytes; a group's members have to fit in that", name, metalog.MaxCommandBytes)
	}
	var members []events.Member
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, events.Errorf(events.CodeInvalid, "%s: not a list of members: %w", name, err)
	}
	return &members, nil
}

func (a *app) groupDelete() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "delete ID",
		Short:             "Delete a group without members, with its offsets and config",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeGroup,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.write(ctx, metalog.DeleteGroup{ID: args[0]}, a.showDone("deleted group "+args[0]))
		}),
	}
	a.dryRunFlag(cmd)
	return cmd
}

// showGroup prints a group as it is after a write.
func (a *app) showGroup(id string) shower {
	return func(ctx context.Context, from metalog.Reader, _ metalog.Result) error {
		group, err := from.GetGroup(ctx, id)
		if err != nil {
			return err
		}
		return a.printObject(group)
	}
}
