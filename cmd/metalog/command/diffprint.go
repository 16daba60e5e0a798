package command

import (
	"fmt"
	"os"
	"strings"

	"github.com/google/uuid"

	"github.com/metalog/metalog"
)

// diffPrinter prints differences as they come, however many there are.
type diffPrinter struct {
	a       *app
	diff    *metalog.Diff
	summary bool // only count
	color   bool
	counts  diffCounts
	printed int
}

func (a *app) diffPrinter(diff *metalog.Diff, flags diffFlags) *diffPrinter {
	return &diffPrinter{a: a, diff: diff, summary: flags.summary, color: a.colors(flags.color), counts: noCounts()}
}

// colors reports whether to print colours: see https://no-color.org.
func (a *app) colors(mode colorMode) bool {
	switch mode {
	case colorAlways:
		return true
	case colorNever:
		return false
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(a.terminal)
}

func (p *diffPrinter) printAll() error {
	if err := p.begin(); err != nil {
		return err
	}
	for d, err := range p.diff.Differences {
		if err != nil {
			return err
		}
		if p.counts.add(d); p.summary {
			continue
		}
		if err := p.print(d); err != nil {
			return err
		}
		p.printed++
	}
	return p.end()
}

// diffHead and diffTail are the objects that a diff begins and ends with.
type (
	diffHead struct {
		From metalog.PointState `json:"from"`
		To   metalog.PointState `json:"to"`
	}
	diffTail struct {
		Summary diffCounts `json:"summary"`
	}
)

// begin prints what comes before the differences.
func (p *diffPrinter) begin() error {
	from, to := p.diff.From, p.diff.To
	switch p.a.format {
	case formatTable:
		_, err := fmt.Fprintf(p.a.out, "from seq %d, %s\nto   seq %d, %s\n\n", from.Seq, from.Time, to.Seq, to.Time)
		return err
	case formatJSONL: // each line is a difference
		_, err := fmt.Fprintf(p.a.err, "from seq %d, %s, to seq %d, %s\n", from.Seq, from.Time, to.Seq, to.Time)
		return err
	case formatYAML:
		if err := p.a.printValue(diffHead{from, to}); err != nil || p.summary {
			return err
		}
		_, err := fmt.Fprintln(p.a.out, "differences:")
		return err
	case formatJSON:
		head, err := encode(diffHead{from, to})
		if err != nil {
			return err
		}
		p.writeObject(head, false)
		if !p.summary {
			fmt.Fprint(p.a.out, ",\n  \"differences\": [")
		}
	}
	return nil
}

// writeObject writes the inside of a JSON object, its beginning or its end.
func (p *diffPrinter) writeObject(object []byte, last bool) {
	inside := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(object)), "{"), "}")
	if last {
		fmt.Fprintf(p.a.out, ",\n  %s\n}\n", inside)
		return
	}
	fmt.Fprintf(p.a.out, "{\n  %s", inside)
}

func (p *diffPrinter) print(d metalog.Difference) error {
	switch p.a.format {
	case formatTable:
		return p.lines(d)
	case formatYAML:
		return p.a.printValue([]metalog.Difference{d})
	case formatJSONL:
		return p.a.printValue(d)
	}
	encoded, err := encode(d)
	if err != nil {
		return err
	}
	separator := ","
	if p.printed == 0 {
		separator = ""
	}
	_, err = fmt.Fprintf(p.a.out, "%s\n    %s", separator, strings.TrimSpace(string(encoded)))
	return err
}

// The colours of a kind of difference, and what ends them.
const (
	green  = "\x1b[32m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// lines prints a difference for people: what is at one point only in a line with
// its fields, what differs with a line a field.
func (p *diffPrinter) lines(d metalog.Difference) error {
	sign, color := "~", yellow
	switch d.Kind {
	case metalog.DiffAdded:
		sign, color = "+", green
	case metalog.DiffRemoved:
		sign, color = "-", red
	}
	line := sign + " " + cellText(d.Entity)
	if d.Kind != metalog.DiffChanged {
		line += whole(d)
	}
	if p.color {
		line = color + line + plain
	}
	fmt.Fprintln(p.a.out, line)
	if d.Kind != metalog.DiffChanged {
		return nil
	}
	width := 0
	for _, f := range d.Fields {
		width = max(width, len(cellText(f.Name)))
	}
	for _, f := range d.Fields {
		fmt.Fprintf(p.a.out, "    %-*s  %s → %s\n", width, cellText(f.Name), valueText(f.Before), valueText(f.After))
	}
	return nil
}

// whole is all of an entity that is at one point only, in one line. Where a
// namesake is at the other point, ids tell which one it is.
func whole(d metalog.Difference) string {
	var text strings.Builder
	isOwner := !strings.Contains(strings.TrimPrefix(d.Entity, string(d.Noun)+"/"), "/") || d.Noun == "group"
	if d.TopicID != uuid.Nil && (d.Recreated || isOwner) {
		fmt.Fprintf(&text, "  topic_id=%s", d.TopicID)
	}
	if d.GroupID != 0 && (d.Recreated || isOwner) {
		fmt.Fprintf(&text, "  group_id=%d", d.GroupID)
	}
	for _, f := range d.Fields {
		value := f.Before
		if f.After != nil {
			value = f.After
		}
		if !isEmpty(value) {
			text.WriteString("  " + cellText(f.Name) + "=" + valueText(value))
		}
	}
	if d.Recreated {
		text.WriteString("  (created again)")
	}
	return text.String()
}

// end prints what comes after the differences.
func (p *diffPrinter) end() error {
	switch p.a.format {
	case formatTable:
		if p.counts.total() == 0 {
			_, err := fmt.Fprintln(p.a.out, "nothing differs")
			return err
		}
		if p.printed > 0 {
			fmt.Fprintln(p.a.out)
		}
		_, err := fmt.Fprintln(p.a.out, p.counts)
		return err
	case formatYAML:
		if p.printed == 0 && !p.summary {
			fmt.Fprintln(p.a.out, "  []")
		}
		return p.a.printValue(diffTail{p.counts})
	case formatJSONL:
		if p.summary {
			return p.a.printValue(diffTail{p.counts})
		}
		return nil
	}
	if !p.summary {
		end := "\n  ]"
		if p.printed == 0 {
			end = "]"
		}
		fmt.Fprint(p.a.out, end)
	}
	tail, err := encode(diffTail{p.counts})
	if err != nil {
		return err
	}
	p.writeObject(tail, true)
	return nil
}
