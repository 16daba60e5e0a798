package command

import (
	"fmt"
	"io"
	"os"
	"time"
)

// meter shows how far long work is, in one line that it writes over and over, ten
// times a second: how much is done, how fast, the percentage and the time left. It
// shows nothing where there is no terminal.
type meter struct {
	out  io.Writer // nil: no terminal
	unit string    // what is counted, in the plural

	step        string
	began, last time.Time // of the step; of the last line
}

// reached is how far work is.
type reached struct {
	step        string // what is being done, "" if there is only one thing to do
	count       int64  // in the meter's unit, of this step
	done, total int64  // in whatever unit tells the time left; total 0: not known
}

const (
	meterEvery = 100 * time.Millisecond
	eraseLine  = "\r\033[K"
)

// meter makes one for work that is counted in a unit. Whoever asked for it ends it
// before anything else is printed.
func (a *app) meter(unit string) *meter {
	m := &meter{unit: unit}
	if isTerminal(a.err) {
		m.out = a.err
	}
	return m
}

func (m *meter) show(at reached) {
	if m.out == nil {
		return
	}
	if line, due := m.line(at, time.Now()); due {
		fmt.Fprint(m.out, "\r"+line+"\033[K")
	}
}

// end takes the line away.
func (m *meter) end() {
	if m.out != nil {
		fmt.Fprint(m.out, eraseLine)
	}
}

// line returns what to show, and whether it is time to.
func (m *meter) line(at reached, now time.Time) (text string, due bool) {
	if at.step != m.step || m.began.IsZero() {
		m.step, m.began = at.step, now
	}
	elapsed := now.Sub(m.began)
	if elapsed <= 0 || now.Sub(m.last) < meterEvery {
		return "", false
	}
	m.last = now
	if at.step != "" {
		text = at.step + ": "
	}
	text += fmt.Sprintf("%d %s, %.0f %s/s", at.count, m.unit, float64(at.count)/elapsed.Seconds(), m.unit)
	if at.done > 0 && at.done <= at.total {
		left := time.Duration(float64(elapsed) * float64(at.total-at.done) / float64(at.done))
		text += fmt.Sprintf(", %d %%, %s left", 100*at.done/at.total, left.Round(time.Second))
	}
	return text, true
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
