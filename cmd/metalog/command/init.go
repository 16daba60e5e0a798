package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Create the internal topics; again, it changes nothing",
		Args:  cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.write(ctx, metalog.InitSystem{}, a.showDone("created the internal topics"))
		}),
	}
}
