package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
)

// notedInfo is info for people: the head comes first, as it is noted for a later
// 'metalog verify --expect'.
type notedInfo struct {
	Head string `json:"head"`
	metalog.Info
}

func (a *app) infoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "info",
		Short: "Show where the store stands and what it holds",
		Long: `Show where the store stands and what it holds: seq and hash of the last record
(to note for a later check), the views' checkpoint and digest, sizes, and counts.`,
		Args: cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.readViews(ctx, func(from metalog.Reader) error {
				info, err := from.Info(ctx)
				if err != nil {
					return err
				}
				if a.format == formatTable {
					return a.printFields(notedInfo{info.Head.String(), info})
				}
				return a.printValue(info)
			})
		}),
	}
}
