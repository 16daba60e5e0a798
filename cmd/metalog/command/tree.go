package command

import (
	"fmt"
	"iter"
	"strings"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// printTree prints trees of causes as they come, an event before those that it
// caused. Many events of one type beside each other that caused nothing are one line
// for people, unless full is set. asked is what a larger tree was asked for.
func (a *app) printTree(list iter.Seq2[metalog.TreeEvent, error], asked metalog.EventRef, full bool) error {
	p := treePrinter{eventPrinter: eventPrinter{a: a}, asked: asked, full: full, color: a.colors(colorAuto)}
	for e, err := range list {
		if err != nil {
			return err
		}
		if a.format == formatTable {
			err = p.take(e)
		} else {
			err = p.value(e)
		}
		if err != nil {
			return err
		}
	}
	if err := p.flush(false); err != nil {
		return err
	}
	return p.end()
}

// treePrinter draws trees.
type treePrinter struct {
	eventPrinter
	asked metalog.EventRef
	full  bool
	color bool
	root  metalog.TreeEvent // of what is drawn
	last  []bool            // by depth, of the events above: nothing stands below them
	run   run
}

// run are events of one type beside each other, held back until it is known how many
// they are, and whether the last one caused something.
type run struct {
	first        []metalog.TreeEvent // the first ones
	before, last metalog.TreeEvent   // the last two
	count        int
	mixed        bool // they are about more than one entity
}

// runShown is how many events beside each other are shown one by one; more are
// summed up.
const runShown = 5

func (p *treePrinter) take(e metalog.TreeEvent) error {
	p.count++
	if e.Depth == 0 {
		p.root = e
	}
	if p.full {
		return p.event(e)
	}
	if p.run.count > 0 && !p.goesOn(e) {
		if err := p.flush(e.Depth > p.run.last.Depth); err != nil {
			return err
		}
	}
	r := &p.run
	if r.count < runShown {
		r.first = append(r.first, e)
	}
	r.mixed = r.mixed || r.count > 0 && e.Entity != r.last.Entity
	r.before, r.last = r.last, e
	r.count++
	return nil
}

// goesOn reports whether the run goes on with an event.
func (p *treePrinter) goesOn(e metalog.TreeEvent) bool {
	last := p.run.last
	return e.Depth == last.Depth && e.Type == last.Type && e.Derived == last.Derived && e.Actor == last.Actor && !p.isAsked(e) && !p.isAsked(last)
}

// flush prints the run. When its last event caused something, that one is shown for
// itself.
func (p *treePrinter) flush(caused bool) error {
	r := p.run
	p.run = run{}
	count, last := r.count, r.last
	if caused {
		count, last = count-1, r.before
	}
	if count > runShown {
		if err := p.sum(r, count, last); err != nil {
			return err
		}
	} else {
		for _, e := range r.first[:min(count, len(r.first))] {
			if err := p.event(e); err != nil {
				return err
			}
		}
	}
	if caused {
		return p.event(r.last)
	}
	return nil
}

// isAsked reports whether the tree was asked for because of an event, and is a
// larger one.
func (p *treePrinter) isAsked(e metalog.TreeEvent) bool {
	if p.asked.One {
		return e.Depth > 0 && e.Seq == p.asked.Seq && e.Index == p.asked.Index
	}
	return e.Seq == p.asked.Seq && e.Seq != p.root.Seq
}

// event draws one event.
func (p *treePrinter) event(e metalog.TreeEvent) error {
	detail, err := payloadText(e.Payload)
	if err != nil {
		return err
	}
	line := fmt.Sprintf("%s %s %s", events.Position{Seq: e.Seq, Index: e.Index}, p.bold(e.Type, !e.Derived), cellText(e.Entity))
	if detail != "" {
		line += " " + detail
	}
	line += p.origin(e)
	p.draw(e.Depth, e.Last, line)
	return nil
}

// sum draws a run as one line.
func (p *treePrinter) sum(r run, count int, last metalog.TreeEvent) error {
	first := r.first[0]
	line := fmt.Sprintf("%s … %s %s ×%d", events.Position{Seq: first.Seq, Index: first.Index},
		events.Position{Seq: last.Seq, Index: last.Index}, first.Type, count)
	if !r.mixed {
		line += " " + cellText(first.Entity)
	}
	line += p.origin(first)
	p.draw(first.Depth, last.Last, line)
	return nil
}

// draw writes a line behind the branches that lead to it.
func (p *treePrinter) draw(depth int, last bool, line string) {
	p.last = append(p.last[:min(depth, len(p.last))], last)
	var branches strings.Builder
	for i := 1; i < depth; i++ {
		branches.WriteString(pick(p.last[i], "   ", "│  "))
	}
	if depth > 0 {
		branches.WriteString(pick(last, "└─ ", "├─ "))
	}
	fmt.Fprintln(p.a.out, branches.String()+line)
}

func pick(when bool, yes, no string) string {
	if when {
		return yes
	}
	return no
}

func (p *treePrinter) bold(s string, when bool) string {
	if !p.color || !when {
		return s
	}
	return "\x1b[1m" + s + "\x1b[0m"
}

// origin ends a line: who did what a command asked for, and whether it was asked for.
func (p *treePrinter) origin(e metalog.TreeEvent) (text string) {
	if e.Depth == 0 || !e.Derived {
		text = fmt.Sprintf("  (%s%s, %s)", becauseText(e), cellText(actorText(e.Actor)), e.Time)
	}
	if p.isAsked(e) {
		text += p.bold("  ◀", true)
	}
	return text
}

// becauseText says what caused an event that stands on top: that is shown elsewhere,
// or is there no more.
func becauseText(e metalog.TreeEvent) string {
	if e.Depth > 0 || e.Cause == nil {
		return ""
	}
	return fmt.Sprintf("because of %s, ", e.Cause)
}

func actorText(actor string) string {
	if actor == "" {
		return "no actor"
	}
	return "by " + actor
}
