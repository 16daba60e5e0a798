package eventlog

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/metalog/metalog/events"
)

// Recovery tells what [Open] found and did.
type Recovery struct {
	Clean      bool        // the log was closed cleanly: nothing had to be repaired
	Head       events.Head // the log's head after opening
	Cuts       []Cut       // what was taken out of the log, in its order
	Reappeared []string    // segments from before the log's start that were removed again
	SetAside   []string    // files that are no part of the log and were moved to the cut directory

	temps, foreign []string // found by opening, in the log directory
}

// Cut is an unfinished tail, or its part in one segment.
type Cut struct {
	Segment  string // file name in the log directory
	Offset   int64  // where in the segment it began
	Bytes    int64
	FirstSeq uint64 // of the record that should have been there
	LastSeq  uint64 // the last that can be made out, at least FirstSeq
	Reason   string
	File     string // where the bytes are kept
}

// log tells of everything that was done to the log.
func (r *Recovery) log(l *slog.Logger, dir string) {
	for _, c := range r.Cuts {
		l.Warn("log: cut an unfinished tail", "dir", dir, "segment", c.Segment, "byte", c.Offset, "bytes", c.Bytes, "first_seq", c.FirstSeq, "last_seq", c.LastSeq, "reason", c.Reason, "kept_in", c.File)
	}
	if len(r.Reappeared) > 0 {
		l.Warn("log: removed segments from before the log's start", "dir", dir, "segments", r.Reappeared)
	}
	if len(r.SetAside) > 0 {
		l.Warn("log: set files aside that are no part of the log", "dir", dir, "files", r.SetAside)
	}
	if !r.Clean && r.Head.Seq > 0 {
		l.Info("log: opened after an unclean end", "dir", dir, "head", r.Head.Seq)
	}
}

// cut takes out what stands from s's place on, where d was found, if it can only
// be an unfinished group, and makes st the state without it. Otherwise it
// returns d. A crash may end it at any point; the next opening does it again.
func (o *opening) cut(s *scanner, st *state, d *Damage) error {
	rest, err := readRest(o.dir, s.segs[s.at:], s.off)
	if err != nil {
		return err
	}
	if err := o.mayCut(rest, d); err != nil {
		return err
	}
	for _, r := range rest {
		if err := o.keepCut(r, d); err != nil {
			return err
		}
	}
	if err := o.endAt(s, st); err != nil {
		return err
	}
	return o.rewrite(st)
}

// mayCut returns d if the record at d was durable, or if no crash explains it.
func (o *opening) mayCut(rest []rest, d *Damage) error {
	if d.intact {
		return d
	}
	if group, found := laterGroup(rest, d.Seq); found {
		d.Reason += fmt.Sprintf("; the group that begins with seq %d was written after it", group)
		return d
	}
	if d.Seq <= o.opts.Witness {
		d.Reason += fmt.Sprintf("; seq %d was durable: a checkpoint, snapshot or subscriber has it", o.opts.Witness)
		return d
	}
	return nil
}

// endAt removes the segments behind the place where s stands, the last one
// first, and the one it stands in if that is not where the next record belongs.
func (o *opening) endAt(s *scanner, st *state) error {
	keep := len(st.segs) - len(s.segs) + s.at + 1
	if s.off == 0 && st.segs[keep-1] != st.head.Seq+1 {
		keep--
		size, err := o.disk.size(segmentPath(o.dir, st.segs[keep-1]))
		if err != nil {
			return err
		}
		st.tail = size
	}
	gone := segmentPaths(o.dir, st.segs[keep:])
	st.segs = st.segs[:keep]
	if len(gone) == 0 {
		return nil
	}
	slices.Reverse(gone)
	return o.disk.remove(gone...)
}

// rest is what a segment has from an offset on.
type rest struct {
	segment uint64
	offset  int64
	data    []byte
}

// readRest reads segs, the first of them from off on.
func readRest(dir string, segs []uint64, off int64) ([]rest, error) {
	var rs []rest
	for _, first := range segs {
		data, err := os.ReadFile(segmentPath(dir, first))
		if err != nil {
			return nil, err
		}
		at := min(off, int64(len(data)))
		rs = append(rs, rest{first, at, data[at:]})
		off = 0
	}
	return rs, nil
}

// laterGroup looks for a whole frame of a group that begins after seq. A group
// is written once the one before it is durable: if there is such a frame, then
// the record at seq was durable.
func laterGroup(rs []rest, seq uint64) (group uint64, found bool) {
	for _, r := range rs {
		wholeFrames(r.data, func(frame []byte) {
			if g := groupOf(frame); g > seq && !found {
				group, found = g, true
			}
		})
	}
	return group, found
}

// keepCut keeps r in a file of its own before it goes.
func (o *opening) keepCut(r rest, d *Damage) error {
	if len(r.data) == 0 {
		return nil
	}
	c := Cut{Segment: segmentName(r.segment), Offset: r.offset, Bytes: int64(len(r.data)), FirstSeq: max(d.Seq, r.segment), Reason: d.Reason}
	c.LastSeq = c.FirstSeq
	wholeFrames(r.data, func(frame []byte) {
		if f, d := parseFrame(frame); d == nil {
			c.LastSeq = max(c.LastSeq, f.Seq)
		}
	})
	name := fmt.Sprintf("%s.byte-%d.seq-%d-%d", c.Segment, c.Offset, c.FirstSeq, c.LastSeq)
	path, err := o.asidePath(name, r.data)
	if err != nil {
		return err
	}
	c.File = path
	o.report.Cuts = append(o.report.Cuts, c)
	return o.disk.replace(path, writing(r.data))
}

// asidePath gives a path in the cut directory for a file named name, making the
// directory if need be. What is there stays: a number is added to the name
// unless the file there has this very content, kept before a crash.
func (o *opening) asidePath(name string, data []byte) (string, error) {
	dir := filepath.Join(o.dir, cutDir)
	if err := o.disk.mkdirAll(dir); err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	for n := 2; ; n++ {
		there, err := os.ReadFile(path)
		if os.IsNotExist(err) || err == nil && bytes.Equal(there, data) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, fmt.Sprintf("%s.%d", name, n))
	}
}

// rewrite makes the last segment durable as far as it is good, in a new file. A
// sync of the old one would not do: after a sync that failed, the page cache
// may hold pages that are not on the disk and count as clean.
func (o *opening) rewrite(st *state) error {
	path := segmentPath(o.dir, st.lastSegment())
	old, err := os.Open(path)
	if err != nil {
		return err
	}
	defer old.Close() //nolint:errcheck // only read
	return o.disk.replace(path, func(w io.Writer) error {
		_, err := io.CopyN(w, old, st.tail)
		return err
	})
}

// tidy clears away what is no part of the log, once the log is known to be good.
func (o *opening) tidy() error {
	var gone []string
	for _, name := range append(o.report.temps, o.report.Reappeared...) {
		gone = append(gone, filepath.Join(o.dir, name))
	}
	if len(gone) > 0 {
		if err := o.disk.remove(gone...); err != nil {
			return err
		}
	}
	for _, name := range o.report.foreign {
		if err := o.setAside(name); err != nil {
			return err
		}
	}
	return nil
}

// setAside moves a file out of wal's sight. A .START file would make wal remove
// segments, a .END file too; truncation in wal's way is never used here.
func (o *opening) setAside(name string) error {
	path := filepath.Join(o.dir, name)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	aside, err := o.asidePath(name, data)
	if err != nil {
		return err
	}
	o.report.SetAside = append(o.report.SetAside, name)
	return o.disk.rename(path, aside)
}
