package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
)

func (a *app) producerCommand() *cobra.Command {
	return a.noun("producer", "Producer ids", a.producerAllocate())
}

func (a *app) producerAllocate() *cobra.Command {
	c := metalog.AllocateProducerIDs{}
	cmd := &cobra.Command{
		Use:     "allocate-ids",
		Short:   "Reserve a block of producer ids",
		Long:    "Reserve a block of producer ids: count of them from first_id. Nobody else ever gets one of them.",
		Example: "  metalog producer allocate-ids --count 1000 --command-id broker-1-block-7",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.write(ctx, c, a.showBlock)
		}),
	}
	cmd.Flags().Int64Var(&c.Count, "count", 1000, "how many")
	return cmd
}

// showBlock prints a block of producer ids.
func (a *app) showBlock(_ context.Context, _ metalog.Reader, r metalog.Result) error {
	return a.printObject(struct {
		FirstID int64  `json:"first_id"`
		Count   int64  `json:"count"`
		Seq     uint64 `json:"seq"`
	}{r.ProducerIDs.FirstID, r.ProducerIDs.Count, r.Seq})
}
