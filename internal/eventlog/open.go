package eventlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tidwall/wal"

	"github.com/metalog/metalog/events"
)

// Open opens the log in dir, and makes one if there is none. What it does then
// depends on how the log was left (doc.go, "Opening"). It is ErrCorrupt when
// records that were durable are damaged or missing; nothing is changed then.
func Open(dir string, o Options) (*File, error) {
	o = o.withDefaults()
	op := opening{dir: dir, disk: o.disk, opts: o}
	st, err := op.prepare()
	if err != nil {
		return nil, openError(dir, err)
	}
	f := &File{dir: dir, opts: o, recovery: op.report, noted: op.clean != nil}
	if f.wal, err = op.openWAL(st); err != nil {
		return nil, openError(dir, err)
	}
	st.changed = make(chan struct{})
	f.state.Store(st)
	op.report.log(o.Logger, dir)
	return f, nil
}

func openError(dir string, err error) error {
	if d, ok := damageOf(err); ok {
		err = d.corrupt()
	}
	return events.Errorf(events.CodeOf(err), "open %s: %w", dir, err)
}

// opening is one run of Open. Its steps fill it in.
type opening struct {
	dir    string
	disk   disk
	opts   Options
	start  Start
	clean  *events.Head // noted by a clean close, or nil
	segs   []uint64
	report Recovery
}

// prepare checks and repairs the directory, so that wal can open it.
func (o *opening) prepare() (*state, error) {
	if err := o.mayBeNew(); err != nil {
		return nil, err
	}
	if err := o.disk.mkdirAll(o.dir); err != nil {
		return nil, err
	}
	if err := o.readDir(); err != nil {
		return nil, err
	}
	o.report.Clean = o.clean != nil
	if len(o.segs) == 0 {
		return o.create()
	}
	s, err := o.scanner()
	if err != nil {
		return nil, err
	}
	defer s.close()
	st, err := o.scan(s)
	if err != nil {
		return nil, err
	}
	o.report.Head = st.head
	return st, o.tidy()
}

// mayBeNew refuses to make a log where there was one: its directory is gone, but
// something durable came from it.
func (o *opening) mayBeNew() error {
	if _, err := os.Stat(o.dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return o.checkWitness(events.Head{})
}

// readDir takes stock. It leaves out segments before the log's start: they are
// in the archive, and a crash kept them from being removed, or from staying so.
func (o *opening) readDir() error {
	var err error
	if o.start, err = ReadStart(o.dir); err != nil {
		return err
	}
	if o.clean, err = readClean(o.dir); err != nil {
		return err
	}
	files, err := list(o.dir)
	if err != nil {
		return err
	}
	o.segs = files.segs
	for len(o.segs) > 0 && o.segs[0] < o.start.First {
		o.report.Reappeared = append(o.report.Reappeared, segmentName(o.segs[0]))
		o.segs = o.segs[1:]
	}
	o.report.temps, o.report.foreign = files.temps, files.foreign
	return o.checkStart()
}

// checkStart checks that the first segment is the one that the log starts with.
func (o *opening) checkStart() error {
	nothingBefore := o.start.First == 1 && o.clean == nil
	if len(o.segs) == 0 && nothingBefore {
		return nil // a new log
	}
	if len(o.segs) == 0 || o.segs[0] != o.start.First {
		return &Damage{Segment: segmentName(o.start.First), Seq: o.start.First, Reason: "the segment is missing"}
	}
	return nil
}

// create makes the state of a log that never was written to.
func (o *opening) create() (*state, error) {
	if err := o.checkWitness(events.Head{}); err != nil {
		return nil, err
	}
	if err := o.tidy(); err != nil {
		return nil, err
	}
	return &state{start: o.start, segs: []uint64{1}}, o.disk.syncDir(filepath.Dir(o.dir))
}

// checkWitness checks that the log reaches all that is known to be durable.
func (o *opening) checkWitness(head events.Head) error {
	if head.Seq >= o.opts.Witness {
		return nil
	}
	return events.Errorf(events.CodeCorrupt, "the log ends at seq %d, but seq %d was durable: a checkpoint, snapshot or subscriber has it; restore the log from a backup, don't remove what is ahead of it", head.Seq, o.opts.Witness)
}

// scanner gives a scanner that stands where checking frame by frame begins, and
// checks that the segments before that join.
func (o *opening) scanner() (*scanner, error) {
	from := len(o.segs) - 1
	if o.clean == nil {
		var err error
		if from, err = o.lastGroup(); err != nil {
			return nil, err
		}
	}
	at, err := o.joins(from)
	return &scanner{dir: o.dir, segs: o.segs[from:], chain: at, tail: wholeFile, block: scanBlock}, err
}

// lastGroup gives the index of a segment before which all was synced: it begins
// no later than the last group that can be seen. It is one whose first frame is
// whole, or the log's first.
func (o *opening) lastGroup() (int, error) {
	i, f, err := o.lastWhole(len(o.segs) - 1)
	if i == 0 || err != nil {
		return 0, err
	}
	i, _, err = o.lastWhole(segmentOf(o.segs, f.Group))
	return i, err
}

// lastWhole gives the last segment up to index i whose first frame is whole, and
// that frame; index 0, whatever it holds, if there is none after it.
func (o *opening) lastWhole(i int) (int, Frame, error) {
	for ; i > 0; i-- {
		if f, ok, err := firstFrame(o.dir, o.segs[i]); ok || err != nil {
			return i, f, err
		}
	}
	return 0, Frame{}, nil
}

// joins checks for each segment up to index to that it goes on where the one
// before ends, and gives the place in the chain where segment to begins. It
// reads the ends of segments only: the frames in between are verify's matter.
func (o *opening) joins(to int) (chain, error) {
	at := chain{Head: o.start.Before(), linked: true}
	if to == 0 {
		return at, nil // the scan checks the first frame
	}
	if head, err := o.headBefore(0); err != nil {
		return chain{}, err
	} else if head != at.Head {
		return chain{}, &Damage{Segment: segmentName(at.Seq + 1), Seq: at.Seq + 1, Reason: "the record was made after another one than the log's start tells", intact: true}
	}
	for i := 1; i <= to; i++ {
		head, err := o.headBefore(i)
		if err != nil {
			return chain{}, err
		}
		ok, err := endsWith(o.dir, o.segs[i-1], head)
		if err != nil {
			return chain{}, err
		}
		if !ok {
			return chain{}, o.brokenJoin(i-1, at)
		}
		at = chain{Head: head, linked: true}
	}
	return at, nil
}

// headBefore gives the head that the log has before segs[i], as that segment's
// first frame tells or, when it has none, the note of a clean close.
func (o *opening) headBefore(i int) (events.Head, error) {
	f, ok, err := firstFrame(o.dir, o.segs[i])
	switch {
	case err != nil:
		return events.Head{}, err
	case ok:
		return events.Head{Seq: f.Seq - 1, Hash: f.Prev}, nil
	case o.clean != nil && i == len(o.segs)-1 && o.clean.Seq == o.segs[i]-1:
		return *o.clean, nil
	}
	return events.Head{}, &Damage{Segment: segmentName(o.segs[i]), Seq: o.segs[i], Reason: "the segment does not begin with a whole frame of that seq"}
}

// brokenJoin names the place where segs[i+1] does not follow segs[i]. at is
// where segs[i] begins.
func (o *opening) brokenJoin(i int, at chain) error {
	s := scanner{dir: o.dir, segs: o.segs[i : i+2], chain: at, tail: wholeFile, block: scanBlock}
	defer s.close()
	for {
		_, err := s.next()
		switch {
		case isEOF(err): // segs[i+1] has no frame
			return s.damage(intact("the log ends here with another record than it was closed with"))
		case err != nil:
			return err
		case s.at == 1:
			return s.damage(intact("the log was changed before this place while it was opened"))
		}
	}
}

// scan checks the last segments frame by frame and makes the tail durable.
func (o *opening) scan(s *scanner) (*state, error) {
	st := &state{start: o.start, segs: o.segs}
	for {
		segment := s.at
		_, err := s.next()
		if s.at != segment {
			st.marks = nil
		}
		if err != nil {
			return o.settle(s, st, err)
		}
		st.mark(mark{s.chain, s.off})
	}
}

// settle decides what becomes of the log when the scan has come to an end, the
// log's or that of what can be read.
func (o *opening) settle(s *scanner, st *state, end error) (*state, error) {
	d, damaged := damageOf(end)
	if !damaged && !isEOF(end) {
		return nil, end
	}
	st.head, st.tail = s.chain.Head, s.off
	switch {
	case o.clean != nil && damaged:
		return nil, end
	case o.clean != nil && *o.clean != st.head:
		return nil, s.damage(intact("the log ends with seq %d (%s), but was closed with seq %d (%s)", st.head.Seq, st.head.Hash, o.clean.Seq, o.clean.Hash))
	case damaged:
		return st, o.cut(s, st, d)
	}
	if err := o.checkWitness(st.head); err != nil {
		return nil, err
	}
	if o.clean != nil {
		return st, o.endsHere(s)
	}
	return st, o.rewrite(st)
}

// endsHere checks that nothing follows in the last segment, as a clean close leaves it.
func (o *opening) endsHere(s *scanner) error {
	size, err := o.disk.size(segmentPath(o.dir, s.segs[s.at]))
	if err == nil && size != s.off {
		err = s.damage(intact("the log was closed here, but %d bytes follow", size-s.off))
	}
	return err
}

// openWAL opens wal on the prepared directory.
func (o *opening) openWAL(st *state) (appender, error) {
	w, err := o.disk.openWAL(o.dir, &wal.Options{
		SegmentSize:      o.opts.SegmentSize,
		SegmentCacheSize: 1,
		AllowEmpty:       true, // a log whose records all went to the archive
		DirPerms:         0o700,
		FilePerms:        0o600,
	})
	if err != nil {
		return nil, err
	}
	last, err := w.LastIndex()
	if err == nil && last != st.head.Seq {
		err = events.Errorf(events.CodeCorrupt, "wal reads the log up to seq %d, its head is %d", last, st.head.Seq)
	}
	if err == nil {
		err = o.disk.syncDir(o.dir)
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}
