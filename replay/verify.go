package replay

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/archive"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/views"
)

// VerifyOptions say what to verify. The zero value checks a directory against
// itself.
type VerifyOptions struct {
	// Deep also makes the views anew from the log, in a temporary directory, and
	// compares each row, and each digest that the log notes.
	Deep bool `json:"deep,omitempty"`
	// Expect are heads that were noted earlier, as 'metalog info' shows them. The
	// log must have each: who rewrites all of a log makes it consistent in
	// itself, but can't give it the same hashes.
	Expect []events.Head `json:"expect,omitempty"`
	// Archive is where the log's archive is, if that is not where the log says.
	Archive string `json:"archive,omitempty"`
	// LogID is the id that the log must have; zero: any.
	LogID uuid.UUID `json:"log_id,omitzero"`
	// Progress, if not nil, is called now and then by the goroutine that verifies.
	Progress func(VerifyProgress) `json:"-"`
}

// VerifyProgress tells how far a verification is.
type VerifyProgress struct {
	Step        string // "log" or "rebuild"
	Done, Total int64  // bytes of the log, or records applied
	Records     uint64 // in this step so far
}

// progressSteps is after how many records progress is told.
const progressSteps = 4096

// Verify checks a data directory without changing anything in it: the log record
// by record, the rows of views and snapshots against their digests, and the
// records that they stand at against the log. It takes constant memory.
//
// Nobody can open the directory meanwhile. When somebody has it open, only the
// log, up to the last whole record, and the newest snapshot are checked, and the
// report says so: see metalog.Store.Verify for the views. Log and archive are checked
// as one; an archive that can't be reached is told as not checked.
//
// What is wrong is in the report, and [VerifyReport.Err] makes an error of it.
// The error is for what can't be checked at all: ErrNotFound when there is no
// log, ErrUnavailable when reading fails, ErrOutOfRange for a rebuild from a log
// whose beginning is neither there nor in an archive that is known.
func Verify(ctx context.Context, dir string, opts VerifyOptions) (report VerifyReport, err error) {
	if _, err := os.Stat(filepath.Join(dir, LogDir)); errors.Is(err, fs.ErrNotExist) {
		return report, events.Errorf(events.CodeNotFound, "verify %s: there is no store here; name its directory", dir)
	}
	v, err := newVerification(dir, opts)
	if err != nil {
		return report, err
	}
	unlock, holder, err := eventlog.Share(dir)
	if err != nil {
		return report, err
	}
	if unlock == nil {
		return v.finish(v.held(ctx, holder))
	}
	return v.finish(errors.Join(v.all(ctx), unlock()))
}

// VerifyOpen is [Verify] for a store that is open in this process: the log up to
// its head at the call, the rows of its views at one seq, and its newest snapshot.
// Writers and readers go on meanwhile. A deep verification compares digests: the
// rows themselves have changed by then.
func VerifyOpen(ctx context.Context, dir string, db *views.DB, log events.Reader, opts VerifyOptions) (VerifyReport, error) {
	v, err := newVerification(dir, opts)
	if err != nil {
		return VerifyReport{}, err
	}
	snapshot, err := db.Snapshot()
	if err == nil {
		err = errors.Join(v.checkViews(ctx, &snapshot.Reader), snapshot.Close())
	}
	if err == nil {
		err = v.checkSnapshots(ctx, true)
	}
	if err != nil {
		return v.finish(err)
	}
	head := log.Head()
	v.log.claim(claim{head, "the store's head", FindingHead})
	return v.finish(v.checkLog(ctx, head.Seq))
}

// verification is one run of Verify.
type verification struct {
	opts   VerifyOptions
	report VerifyReport
	log    *logCheck
	began  time.Time

	archive *archive.Archive // nil: there is none, or it can't be read

	points []point       // that a rebuild passes
	rows   *views.Reader // of the views, at the point of their seq; nil: not open any more
}

func newVerification(dir string, opts VerifyOptions) (*verification, error) {
	v := &verification{opts: opts, began: time.Now()}
	v.report = VerifyReport{Path: dir, NotChecked: []string{}, Findings: []Finding{}}
	v.log = newLogCheck(&v.report)
	for _, head := range opts.Expect {
		if head.Seq == 0 {
			return nil, events.Errorf(events.CodeInvalid, "verify: a noted head has seq 0, and no record has that seq; note the head of a log that has records")
		}
		v.log.claim(claim{head, "the head that was noted", FindingHead})
	}
	return v, nil
}

// finish gives the report of a run that ended with err.
func (v *verification) finish(err error) (VerifyReport, error) {
	v.report.finish(v.began)
	return v.report, err
}

// held checks a directory that somebody else writes in.
func (v *verification) held(ctx context.Context, holder string) error {
	v.report.HeldBy = holder
	v.report.notChecked("the views: %s has the directory open, and can check them itself with --server URL", holder)
	if err := v.checkSnapshots(ctx, true); err != nil {
		return err
	}
	return v.checkLog(ctx, 0)
}

// all checks a directory that nobody has open.
func (v *verification) all(ctx context.Context) error {
	if err := v.checkSnapshots(ctx, false); err != nil {
		return err
	}
	db, err := v.openViews(ctx)
	if err != nil {
		return err
	}
	if db == nil {
		return v.checkLog(ctx, 0)
	}
	snapshot, err := db.Snapshot()
	if err != nil {
		return errors.Join(err, db.Close())
	}
	v.rows = &snapshot.Reader
	if err = v.checkViews(ctx, v.rows); err == nil {
		err = v.checkLog(ctx, 0)
	}
	return errors.Join(err, snapshot.Close(), db.Close())
}

// checkLog checks the log up to a seq, 0 for its end, and then, if it was asked
// for, what a rebuild from it gives.
func (v *verification) checkLog(ctx context.Context, to uint64) error {
	dir := filepath.Join(v.report.Path, LogDir)
	total, err := sizeOfFiles(dir)
	if err != nil {
		return err
	}
	progress := func() {
		if r := &v.report; r.Records%progressSteps == 0 {
			v.progress(VerifyProgress{Step: "log", Done: r.Bytes, Total: total, Records: r.Records})
		}
	}
	if v.archive, err = v.openArchive(ctx); err != nil {
		return err
	}
	if v.archive != nil {
		total += archiveBytes(ctx, v.archive)
		if err := v.checkArchive(ctx, v.archive, progress); err != nil {
			return err
		}
	}
	if err := v.log.run(ctx, dir, to, progress); err != nil {
		return err
	}
	v.log.unmet()
	if r := &v.report; v.opts.LogID != uuid.Nil && r.LogID != v.opts.LogID {
		r.find(FindingLogID, nil, "the log has id %s, and should have %s: it is another log", r.LogID, v.opts.LogID)
	}
	if v.opts.Deep {
		return v.rebuild(ctx)
	}
	return nil
}

func (v *verification) progress(p VerifyProgress) {
	if v.opts.Progress != nil {
		v.opts.Progress(p)
	}
}

// sizeOfFiles sums the sizes of a directory's files, those in directories below
// it left out.
func sizeOfFiles(dir string) (total int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, events.Errorf(events.CodeUnavailable, "verify: %w", err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
	}
	return total, nil
}
