package command

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// entityHelp says how history and blame are told what they are of.
const entityHelp = `ENTITY is one of

  topic/NAME                    a topic with its partitions, segments, watermarks and config
  topic/NAME/partition/N        one of its partitions
  topic/NAME/segment/ID         one of its segments
  group/ID                      a group with its offsets and config
  group/ID/offset/TOPIC/N       its offset in one partition
  broker/ID                     a broker
  transaction/TRANSACTIONAL-ID  the transactions of one transactional id
  producer/ID                   a producer with its transactions
  config/SCOPE                  the config of cluster, topic/NAME, broker/ID or group/ID
  cluster                       what is about none of these

A topic's UUID, or #NUMBER for a group, in place of the name means that one of several
that have had the name.`

func (a *app) historyCommand() *cobra.Command {
	var (
		query metalog.HistoryQuery
		full  bool
	)
	cmd := &cobra.Command{
		Use:   "history ENTITY",
		Short: "Show all that happened to an entity, also after it was deleted",
		Long: `Show all that happened to an entity, the oldest first, also after it was deleted.
` + entityHelp + `

Topics and groups that had the same name one after the other are all shown, under a line
with their id.`,
		Example: "  metalog history topic/orders --no-high-rate\n" +
			"  metalog history topic/orders/partition/3 --reverse --limit 20\n" +
			"  metalog history group/billing --since -1d --actor alice\n" +
			"  metalog history topic/orders --cascade --type TopicDeleted",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeEntity,
		RunE: a.run(func(ctx context.Context, args []string) error {
			if full && !query.Cascade {
				return errAll
			}
			query.Entity = args[0]
			return a.showHistory(ctx, query, full)
		}),
	}
	f := cmd.Flags()
	selectFlags(cmd, selection{
		&query.From, &query.To, &query.Since, &query.Until, &query.Types, &query.Actor, &query.Derived, &query.Cause, &query.Limit,
	})
	f.BoolVar(&query.NewestFirst, "reverse", false, "the newest first")
	f.Var(positionFlag{&query.After}, "after", "go on after the last event of the page before, `SEQ.INDEX`")
	f.BoolVar(&query.NoHighRate, "no-high-rate", false, "without OffsetCommitted and HighWatermarkAdvanced, of which there may be very many")
	f.BoolVar(&query.Cascade, "cascade", false, "show below each event what it caused, about other entities too")
	f.BoolVar(&full, "all", false, "with --cascade, show each event, however many")
	return cmd
}

func (a *app) showHistory(ctx context.Context, query metalog.HistoryQuery, full bool) error {
	return a.read(ctx, func(store fullStore) error {
		if a.format == formatTable && query.Cascade {
			return a.printTree(store.History(ctx, query), metalog.EventRef{}, full)
		}
		limit := 0
		if a.format == formatTable && query.Limit > 0 {
			limit = query.Limit
			query.Limit++ // tells whether something is left
		}
		return a.printHistory(store.History(ctx, query), limit)
	})
}

// printHistory prints the events of one entity as they come: as many as the limit, if
// there is one, and then whether something is left.
func (a *app) printHistory(list iter.Seq2[metalog.TreeEvent, error], limit int) error {
	p := historyPrinter{eventPrinter: eventPrinter{a: a}}
	var last events.Position
	for e, err := range list {
		if err != nil {
			return err
		}
		if limit > 0 && p.count == limit {
			if err := a.out.Flush(); err != nil {
				return err
			}
			fmt.Fprintf(a.err, "there is more: --after %s\n", last)
			break
		}
		if err := p.print(e); err != nil {
			return err
		}
		last = events.Position{Seq: e.Seq, Index: e.Index}
	}
	return p.end()
}

// historyPrinter prints a list of events about one name. Who has it is said where it
// changes.
type historyPrinter struct {
	eventPrinter
	of events.Identity
}

func (p *historyPrinter) print(e metalog.TreeEvent) error {
	if p.a.format != formatTable {
		return p.value(e)
	}
	if p.count++; p.count == 1 {
		fmt.Fprintln(p.a.out, rowText(historyWidths, "POSITION", "TIME", "TYPE", "CAUSE", "ACTOR", "PAYLOAD"))
	}
	if of, ok := e.Payload.(events.Identified); ok && of.Identity() != p.of {
		if p.of = of.Identity(); p.of.Kind == events.KindTopic || p.of.Kind == events.KindGroup {
			fmt.Fprintf(p.a.out, "-- %s\n", namesake(e.Entity, p.of))
		}
	}
	detail, err := payloadText(e.Payload)
	if err != nil {
		return err
	}
	position := events.Position{Seq: e.Seq, Index: e.Index}
	fmt.Fprintln(p.a.out, rowText(historyWidths, position.String(), e.Time.String(), e.Type, causeText(e.Cause), cellText(e.Actor), detail))
	return nil
}

// historyWidths are those of POSITION to ACTOR.
var historyWidths = eventWidths[:5]

// namesake names a topic or group so that it is told from others of its name.
func namesake(name events.EntityRef, of events.Identity) string {
	if of.Kind == events.KindTopic {
		return fmt.Sprintf("topic %s, id %s", name.ID, of.TopicID)
	}
	return fmt.Sprintf("group %s, number #%d", cellText(name.ID), of.Number)
}

func causeText(cause *events.Position) string {
	if cause == nil {
		return "-"
	}
	return cause.String()
}

// positionFlag is a flag of the position of an event.
type positionFlag struct{ at **events.Position }

func (p positionFlag) Set(s string) error {
	ref, err := metalog.ParseEventRef(s)
	if err != nil || !ref.One {
		return errors.New("it is no position of an event, SEQ.INDEX")
	}
	*p.at = &events.Position{Seq: ref.Seq, Index: ref.Index}
	return nil
}

func (p positionFlag) String() string { return "" }
func (p positionFlag) Type() string   { return "position" }
