package metalog

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// ExportReport tells what an export wrote.
type ExportReport struct {
	LogID    uuid.UUID   `json:"log_id"`
	Seq      uint64      `json:"seq"` // of the state
	Time     events.Time `json:"time"`
	Commands int         `json:"commands"`
	LeftOut  int         `json:"left_out"` // what no command of a line's size can bring back; comments in the export name it
}

// The comments that an export begins and ends with. Who reads it to its end knows
// that it is whole: see [ExportCheck].
const (
	exportBegin = "# metalog export of log "
	exportEnd   = "# end: "
)

// Export writes the state of a view as lines for 'metalog apply' that bring it
// about in an empty store. Ids, revisions, times, the epochs of brokers and the
// partition epochs of partitions are those of the store that applies them.
//
// Each line has a command id of the log, the seq and the line's number, so an export
// that was applied in part can be applied again. Besides one group's offsets at a time
// it takes constant memory, but for what a view over the wire keeps of a list that has
// come and waits. The view must not change: one over the wire has to be of a seq.
func Export(ctx context.Context, view View, w io.Writer) (ExportReport, error) {
	info, err := view.Info(ctx)
	if err != nil {
		return ExportReport{}, err
	}
	e := &export{
		ctx: ctx, view: view, out: bufio.NewWriter(w), info: info,
		report: ExportReport{LogID: info.LogID, Seq: info.Seq, Time: info.Time},
	}
	e.comment("%s%s at seq %d, %s", exportBegin, info.LogID, info.Seq, info.Time)
	for _, part := range []func() error{
		e.cluster, e.brokers, e.topics, e.groups, e.transactions, e.groupStates, e.maintenance,
	} {
		if err := part(); err != nil {
			return e.report, err
		}
	}
	e.comment("%s%d commands", exportEnd, e.report.Commands)
	return e.report, e.out.Flush()
}

// export is one run of [Export].
type export struct {
	ctx     context.Context
	view    View
	info    Info
	out     *bufio.Writer // keeps its first error, which Flush returns
	report  ExportReport
	members map[int32]bool // the brokers that are registered
}

func (e *export) comment(format string, args ...any) {
	fmt.Fprintf(e.out, format+"\n", args...)
}

// command writes the line of a command. One that is too long for a line is left
// out, and what it was about is named.
func (e *export) command(cmd Command, about string) error {
	line, err := e.encode(cmd)
	if err != nil {
		return err
	}
	if len(line) > MaxCommandBytes {
		e.report.LeftOut++
		e.comment("# left out: %s of %q has %d bytes, the limit of a line is %d", cmd.Op(), about, len(line), MaxCommandBytes)
		return nil
	}
	e.report.Commands++
	_, err = e.out.Write(append(line, '\n'))
	return err
}

// encode gives a command as the line that the next one written is.
func (e *export) encode(cmd Command) ([]byte, error) {
	var line bytes.Buffer
	fmt.Fprintf(&line, `{"op":%q,"command_id":"export/%s/%d/%d"`, cmd.Op(), e.info.LogID, e.info.Seq, e.report.Commands+1)
	begin := line.Len()
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(cmd); err != nil {
		return nil, events.Errorf(events.CodeInvalid, "export: %s: %w", cmd.Op(), err)
	}
	encoded := bytes.TrimRight(line.Bytes(), "\n")
	if encoded[begin] = ','; len(encoded) == begin+len("{}") {
		return append(encoded[:begin], '}'), nil // no fields
	}
	return encoded, nil
}

// ExportCheck finds out whether lines that are read are a whole export. The zero
// value has seen none.
type ExportCheck struct {
	isExport bool
	expected int // commands; 0: the end was not seen
	ended    bool
}

// Comment is told of a line that begins with #.
func (c *ExportCheck) Comment(line []byte) {
	if bytes.HasPrefix(line, []byte(exportBegin)) {
		*c = ExportCheck{isExport: true}
	}
	if c.isExport && bytes.HasPrefix(line, []byte(exportEnd)) {
		_, err := fmt.Sscanf(string(line), exportEnd+"%d commands", &c.expected)
		c.ended = err == nil
	}
}

// Err is ErrInvalid for an export that ended early, or has another number of
// commands than it was written with; nil for what is no export.
func (c *ExportCheck) Err(commands int) error {
	switch {
	case !c.isExport:
		return nil
	case !c.ended:
		return events.Errorf(events.CodeInvalid, "the export is cut off after %d commands: its last line, %q, is missing; get the whole file and apply it again, which does what is missing", commands, exportEnd+"… commands")
	case c.expected != commands:
		return events.Errorf(events.CodeInvalid, "the export has %d commands, but %d were written; get the whole file and apply it again, which does what is missing", commands, c.expected)
	}
	return nil
}
