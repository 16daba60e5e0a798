package command

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (a *app) eventsCommand() *cobra.Command {
	return a.noun("events", "The log itself", a.eventsList(), a.eventsShow(), a.eventsTail())
}

func (a *app) eventsList() *cobra.Command {
	var (
		query  metalog.EventQuery
		entity string
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List events",
		Example: "  metalog events list --from 100 --type TopicCreated --type TopicDeleted\n" +
			"  metalog events list --since -2h --actor alice --derived=false\n" +
			"  metalog events list --cause 42\n" +
			"  metalog events list --entity topic/orders -o json",
		Args: cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) (err error) {
			if entity != "" {
				if query.Entity, err = events.ParseEntityRef(entity); err != nil {
					return err
				}
				if query.Entity.Kind == events.KindTopic && strings.Contains(query.Entity.ID, "/") {
					return events.Errorf(events.CodeInvalid, "entity %q: events are listed by topic; 'metalog history %s' shows what is about a part of one", entity, entity)
				}
			}
			return a.listEvents(ctx, query)
		}),
	}
	f := cmd.Flags()
	selectFlags(cmd, selection{
		&query.From, &query.To, &query.Since, &query.Until, &query.Types, &query.Actor, &query.Derived, &query.Cause, &query.Limit,
	})
	f.StringVar(&entity, "entity", "", "only events about this `entity`: topic/NAME, group/ID, broker/ID, producer/ID or cluster")
	completeFlag(cmd, "entity", a.completeEntities(eventEntities...))
	return cmd
}

// selection are the fields of a query that say which events are wanted.
type selection struct {
	from, to     *uint64
	since, until *metalog.Point
	types        *[]string
	actor        *string
	derived      **bool
	cause        *metalog.EventRef
	limit        *int
}

// selectFlags gives a command the flags that say which events are wanted.
func selectFlags(cmd *cobra.Command, s selection) {
	f := cmd.Flags()
	f.Uint64Var(s.from, "from", 0, "first seq (default: the log's first)")
	f.Uint64Var(s.to, "to", 0, "last seq (default: the log's last)")
	f.Var(point{s.since}, "since", "from this `POINT` on: a seq, a time, -2h, 'yesterday 14:00'")
	f.Var(point{s.until}, "until", "up to this `POINT`")
	f.StringArrayVar(s.types, "type", nil, "only events of this `type`, repeatable")
	f.StringVar(s.actor, "actor", "", "only what this `actor` did") // in place of the global flag, which is for writes
	f.Var(optional[bool]{s.derived, strconv.ParseBool, "bool"}, "derived", "only derived events; =false: only those that a command asked for")
	f.Lookup("derived").NoOptDefVal = "true"
	f.Var(eventFlag{s.cause}, "cause", "only what this `EVENT` caused, SEQ.INDEX, or any event of a record, SEQ")
	f.IntVar(s.limit, "limit", 0, "at most so many events (default: all)")
	completeFlag(cmd, "since", completePoint)
	completeFlag(cmd, "until", completePoint)
	completeFlag(cmd, "type", completeType)
}

// eventFlag is a flag of SEQ or SEQ.INDEX.
type eventFlag struct{ ref *metalog.EventRef }

func (e eventFlag) Set(s string) (err error) {
	if *e.ref, err = metalog.ParseEventRef(s); err != nil {
		return errors.New(err.Error()) // of the command line, not of the store
	}
	return nil
}

func (e eventFlag) String() string { return "" }
func (e eventFlag) Type() string   { return "event" }

func (a *app) eventsShow() *cobra.Command {
	var cascade, full bool
	cmd := &cobra.Command{
		Use:   "show SEQ[.INDEX]",
		Short: "Show the events of one record, or what they were caused by and caused",
		Long: `Show the events of one record, or one of them.

--cascade shows the tree that they stand in: from the event that caused it all down to
every event that another one caused, in later records of a large cascade and in
commands that were given because of an event too. Many of the same type are shown as
one line, unless --all is given; other formats than table always have all of them, each
after its cause, with its depth.`,
		Example: "  metalog events show 42 -o yaml\n  metalog events show 42 --cascade\n  metalog events show 43.17 --cascade --all",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			ref, err := metalog.ParseEventRef(args[0])
			if err != nil {
				return usagef("SEQ: %w", err)
			}
			if full && !cascade {
				return errAll
			}
			return a.read(ctx, func(store fullStore) error {
				if cascade {
					return a.printTree(store.Cascade(ctx, metalog.CascadeQuery{Of: ref}), ref, full)
				}
				return a.showRecord(ctx, store, ref)
			})
		}),
	}
	cmd.Flags().BoolVar(&cascade, "cascade", false, "show the tree of causes that they stand in")
	cmd.Flags().BoolVar(&full, "all", false, "with --cascade, show each event, however many")
	return cmd
}

var errAll = usagef("--all goes with --cascade; without it, all events are shown anyway")

// showRecord prints the events of a record, for people with all their fields.
func (a *app) showRecord(ctx context.Context, store metalog.MetadataStore, ref metalog.EventRef) error {
	var shown []events.EventView
	count := 0
	for e, err := range store.Events(ctx, metalog.EventQuery{From: ref.Seq, To: ref.Seq}) {
		if err != nil {
			return err
		}
		if count++; !ref.One || e.Index == ref.Index {
			shown = append(shown, e)
		}
	}
	switch {
	case count == 0:
		return events.Errorf(events.CodeNotFound, "seq %s: there is no such record; 'metalog info' shows the last seq", ref)
	case len(shown) == 0:
		return events.Errorf(events.CodeNotFound, "event %s: the record has events 0 to %d", ref, count-1)
	}
	if a.format != formatTable {
		return a.printEvents(all(shown))
	}
	for i, e := range shown {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		if err := a.printFields(e); err != nil {
			return err
		}
	}
	return nil
}

// listEvents prints what a query selects, as it comes.
func (a *app) listEvents(ctx context.Context, query metalog.EventQuery) error {
	return a.read(ctx, func(store fullStore) error {
		return a.printEvents(store.Events(ctx, query))
	})
}

// all yields a list as a query would.
func all(list []events.EventView) iter.Seq2[events.EventView, error] {
	return func(yield func(events.EventView, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// printEvents prints events as they come, a list of any length.
func (a *app) printEvents(list iter.Seq2[events.EventView, error]) error {
	p := a.eventPrinter()
	if err := p.printAll(list); err != nil {
		return err
	}
	return p.end()
}

// eventPrinter prints a list of events one by one.
type eventPrinter struct {
	a     *app
	count int
}

func (a *app) eventPrinter() *eventPrinter { return &eventPrinter{a: a} }

// printAll prints events as they come, without ending the list.
func (p *eventPrinter) printAll(list iter.Seq2[events.EventView, error]) error {
	for e, err := range list {
		if err != nil {
			return err
		}
		if err := p.print(e); err != nil {
			return err
		}
	}
	return nil
}

func (p *eventPrinter) print(e events.EventView) error {
	if p.a.format == formatTable {
		p.count++
		return p.line(e)
	}
	return p.value(e)
}

// value prints an event in a format for programs.
func (p *eventPrinter) value(e any) error {
	p.count++
	switch p.a.format {
	case formatJSON:
		return p.element(e)
	case formatYAML:
		return p.a.printValue([]any{e})
	}
	return p.a.printValue(e)
}

// eventWidths are those of POSITION to ENTITY: the longest event type fits, and
// names of some length.
var eventWidths = []int{9, 30, 27, 9, 10, 40}

// line prints an event for people, with its title before the first one.
func (p *eventPrinter) line(e events.EventView) error {
	if p.count == 1 {
		fmt.Fprintln(p.a.out, rowText(eventWidths, "POSITION", "TIME", "TYPE", "CAUSE", "ACTOR", "ENTITY", "PAYLOAD"))
	}
	detail, err := payloadText(e.Payload)
	if err != nil {
		return err
	}
	position := events.Position{Seq: e.Seq, Index: e.Index}
	fmt.Fprintln(p.a.out, rowText(eventWidths, position.String(), e.Time.String(), e.Type, causeText(e.Cause), cellText(e.Actor), cellText(e.Entity), detail))
	return nil
}

// payloadText is a payload in one line: the fields that say more than the
// entity's column does.
func payloadText(payload events.Event) (string, error) {
	fields, err := events.JSONFields(payload)
	if err != nil {
		return "", err
	}
	var texts []string
	for _, f := range fields {
		if text := valueText(f.Value); !isEmpty(f.Value) && !namesEntity(f.Name, text, payload.Entity()) {
			texts = append(texts, f.Name+"="+text)
		}
	}
	return strings.Join(texts, " "), nil
}

// namesEntity reports whether a field only names the entity, or is an internal id.
func namesEntity(name, text string, entity events.EntityRef) bool {
	switch name {
	case "topic_id", "group_id":
		return true
	case "id":
		return entity.Kind != events.KindTopic || uuid.Validate(text) == nil
	case "name", "topic", "group", "scope":
		return text == entity.ID || text == entity.String()
	}
	return false
}

// element prints an element of a JSON array.
func (p *eventPrinter) element(e any) error {
	separator := ",\n"
	if p.count == 1 {
		separator = "[\n"
	}
	line, err := encode(e)
	if err != nil {
		return err
	}
	fmt.Fprint(p.a.out, separator, "  ", strings.TrimSuffix(string(line), "\n"))
	return nil
}

// end ends the list.
func (p *eventPrinter) end() error {
	switch {
	case p.a.format == formatJSON && p.count == 0:
		fmt.Fprintln(p.a.out, "[]")
	case p.a.format == formatJSON:
		fmt.Fprintln(p.a.out, "\n]")
	case p.a.format == formatYAML && p.count == 0:
		fmt.Fprintln(p.a.out, "[]")
	case p.a.format == formatTable && p.count == 0:
		fmt.Fprintln(p.a.err, "no events")
	}
	return nil
}
