package replay

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/archive"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/views"
)

// RepairOptions are how to repair a log. The zero value is a dry run.
type RepairOptions struct {
	Archive  string           // where the archive is; empty: where the log's start tells
	Out      string           // the new data directory, empty or not there; none: dry run
	Actor    string           // who ordered it, for the record
	Clock    func() time.Time // nil: time.Now
	Progress func(seq uint64) // called now and then with the seq that was checked; nil: nobody asks
}

// RepairReport tells what a log has that is good, and what a repair gives up.
type RepairReport struct {
	LogID   uuid.UUID     `json:"log_id"`
	Epoch   uint64        `json:"epoch"` // that the damaged log is in
	Kept    events.Head   `json:"kept"`  // the last good record
	KeptAt  events.Time   `json:"kept_at"`
	Damage  *RepairDamage `json:"damage"`  // null: the log is whole up to its end
	Durable uint64        `json:"durable"` // the highest seq that the views or a snapshot have
	Lost    LostRecords   `json:"lost"`
	// FirstSeq is that of the log, and Archive where the records before are: the
	// repaired log goes on from there, too. Empty: there are none.
	FirstSeq uint64 `json:"first_seq"`
	Archive  string `json:"archive,omitempty"`
	// Ahead is what the archive has beyond the log's last good record; null: nothing.
	Ahead *RepairAhead `json:"ahead"`
	// ArchiveError is why the archive could not be asked for that; empty: it was, or there
	// is none.
	ArchiveError string       `json:"archive_error,omitempty"`
	Out          string       `json:"out,omitempty"` // where the repaired log is; empty: dry run
	Head         *events.Head `json:"head"`          // of the repaired log; null: dry run
}

// Needed reports whether the log can't be opened, or may be unable to.
func (r RepairReport) Needed() bool { return r.Ahead != nil || r.loses() }

// loses reports whether records may be given up that were in the log.
func (r RepairReport) loses() bool { return r.Damage != nil || r.Durable > r.Kept.Seq }

// RepairDamage is the first place in a log that is not good.
type RepairDamage struct {
	Segment string `json:"segment"`
	Seq     uint64 `json:"seq"` // of the record that should be there
	Byte    int64  `json:"byte"`
	Reason  string `json:"reason"`
	// Unfinished: it may be what a write left that never finished. Opening the
	// store takes that away by itself, if it can.
	Unfinished bool `json:"unfinished"`
}

// LostRecords is what a repair leaves out.
type LostRecords struct {
	FirstSeq uint64            `json:"first_seq"` // 0: nothing
	LastSeq  uint64            `json:"last_seq"`  // the last one known
	Bytes    int64             `json:"bytes"`
	Readable uint64            `json:"readable"` // records that can still be read
	Events   map[string]uint64 `json:"events"`   // in those, by type
}

// Repair is the only way past a damaged log. It finds the first record that is
// not good, and with options.Out it makes a new data directory from what stands
// before it: the same bytes, and one more record that begins a new epoch and
// tells where it forked off. Replicas and subscribers that were ahead of that
// learn it from there. Records that the log's archive has and the log does not, after a
// restore of an old backup or because of the damage, are taken from there before that, as
// far as they follow. Log, views and snapshots in dir stay as they are; the directory is
// locked while something is written.
//
// A log without a good first record, or one that is whole, can't be repaired:
// ErrCorrupt and ErrInvalid.
func Repair(ctx context.Context, dir string, opts RepairOptions) (_ RepairReport, err error) {
	if _, err := os.Stat(filepath.Join(dir, LogDir)); err != nil {
		return RepairReport{}, events.Errorf(events.CodeNotFound, "%s: there is no store here; name the data directory of one", dir)
	}
	r := &repair{dir: dir, opts: opts, snapshots: Snapshots{Dir: filepath.Join(dir, SnapshotsDir)}}
	if opts.Out == "" {
		err := r.examine(ctx)
		return r.report, err
	}
	lock, err := eventlog.Lock(dir, "a repair of the log")
	if err != nil {
		return RepairReport{}, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err = r.examine(ctx); err == nil {
		err = r.write(ctx)
	}
	return r.report, err
}

// repair is one run of Repair.
type repair struct {
	dir       string
	opts      RepairOptions
	snapshots Snapshots

	start  eventlog.Start
	epoch  *events.EpochStarted // the last in the good part; nil: not seen
	report RepairReport

	archive  *archive.Archive
	archived []*archive.Manifest // files that go on from the log; they count as kept
	fromLog  events.Head         // up to here the log's own records are copied
}

func (r *repair) logDir() string { return filepath.Join(r.dir, LogDir) }

// examine fills in the report.
func (r *repair) examine(ctx context.Context) (err error) {
	if r.start, err = eventlog.ReadStart(r.logDir()); err != nil {
		return err
	}
	r.report.Kept = r.start.Before()
	r.report.FirstSeq, r.report.Archive = r.start.First, r.start.Archive
	damage, err := r.scan(ctx)
	if err != nil {
		return err
	}
	if r.report.Durable, err = r.snapshots.Witness(); err != nil {
		return err
	}
	if at, ok := viewsCheckpoint(r.dir); ok {
		r.report.Durable = max(r.report.Durable, at.Seq)
	}
	if err := r.findEpoch(ctx); err != nil {
		return err
	}
	if err := r.findAhead(ctx); err != nil {
		return err
	}
	return r.countLost(damage)
}

// scan reads the log up to the first damage, which it returns.
func (r *repair) scan(ctx context.Context) (*eventlog.Damage, error) {
	for at, err := range eventlog.Scan(ctx, r.logDir(), 0) {
		if d, damaged := errors.AsType[*eventlog.Damage](err); damaged {
			r.report.Damage = &RepairDamage{Segment: d.Segment, Seq: d.Seq, Byte: d.Offset, Reason: d.Reason, Unfinished: d.Unfinished}
			return d, nil
		}
		if err != nil {
			return nil, err
		}
		// A whole frame that can't be decoded is no damage, and no reason to drop
		// it: a newer metalog wrote it.
		rec, err := at.Record()
		if err != nil {
			return nil, err
		}
		if epoch, ok := rec.Facts[0].Event.(*events.EpochStarted); ok {
			r.epoch = epoch
		}
		r.report.Kept, r.report.KeptAt = events.Head{Seq: rec.Seq, Hash: rec.Hash}, rec.Time
		if r.opts.Progress != nil && rec.Seq%4096 == 0 {
			r.opts.Progress(rec.Seq)
		}
	}
	return nil, nil
}

// countLost tells what stands behind the damage, as far as it can be read.
func (r *repair) countLost(d *eventlog.Damage) (err error) {
	if !r.report.loses() {
		return nil
	}
	lost := &r.report.Lost
	lost.FirstSeq, lost.Events = r.report.Kept.Seq+1, map[string]uint64{}
	lost.LastSeq = r.report.Durable
	if d == nil {
		return nil
	}
	lost.LastSeq = max(lost.LastSeq, d.Seq)
	lost.Bytes, err = eventlog.Beyond(r.logDir(), d, func(f eventlog.Frame) {
		if f.Seq < lost.FirstSeq {
			return
		}
		lost.LastSeq = max(lost.LastSeq, f.Seq)
		rec, err := f.Record()
		if err != nil {
			return
		}
		lost.Readable++
		for _, fact := range rec.Facts {
			lost.Events[fact.Event.Type().String()]++
		}
	})
	if lost.LastSeq < lost.FirstSeq {
		*lost = LostRecords{} // the archive has all of them
	}
	return err
}

// findEpoch tells which log it is: from the log or, when its first records are
// in the archive, from a snapshot.
func (r *repair) findEpoch(ctx context.Context) error {
	if r.epoch == nil {
		snap, found, err := r.snapshot(ctx)
		if err != nil {
			return err
		}
		if !found {
			return events.Errorf(events.CodeCorrupt, "nothing of the log in %s can be kept: it has no good record that tells which log it is, and no snapshot does; restore a backup", r.dir)
		}
		if r.epoch, err = r.epochIn(snap); err != nil {
			return err
		}
	}
	r.report.LogID, r.report.Epoch = r.epoch.LogID, r.epoch.Epoch
	return nil
}

// snapshot returns the newest good snapshot that the kept records reach.
func (r *repair) snapshot(ctx context.Context) (Snapshot, bool, error) {
	for seq := r.report.Kept.Seq; ; {
		snap, found, err := r.snapshots.Nearest(seq)
		if err != nil || !found {
			return snap, false, err
		}
		if err := r.snapshots.Verify(ctx, snap); err == nil {
			return snap, true, nil
		} else if !errors.Is(err, events.ErrCorrupt) {
			return snap, false, err
		}
		seq = snap.Seq - 1
	}
}

func (r *repair) epochIn(snap Snapshot) (*events.EpochStarted, error) {
	db, err := views.Open(views.Options{Path: r.snapshots.path(snap.Seq, copySuffix), ReadOnly: true})
	if err != nil {
		return nil, err
	}
	epoch, err := epochOf(db)
	return &epoch, errors.Join(err, db.Close())
}
