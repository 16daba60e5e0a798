package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (a *app) historyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history ENTITY",
		Short: "Show all that happened to an entity",
		Long: `Show all that happened to an entity: topic/NAME (with its segments, partitions and
watermarks), group/ID (with its offsets), broker/ID, producer/ID or cluster.

Topics and groups that had the same name one after the other are all shown; their
ids in the payload tell them apart.`,
		Example: "  metalog history topic/orders\n  metalog history group/billing -o jsonl",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			entity, err := events.ParseEntityRef(args[0])
			if err != nil {
				return err
			}
			return a.listEvents(ctx, metalog.EventQuery{Entity: entity})
		}),
	}
}
