package replay

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
	"github.com/metalog/metalog/internal/eventlog"
)

// write makes the new data directory.
func (r *repair) write(ctx context.Context) (err error) {
	if !r.report.Needed() {
		return events.Errorf(events.CodeInvalid, "the log in %s is whole up to seq %d, and nothing is known to be beyond: there is nothing to repair", r.dir, r.report.Kept.Seq)
	}
	if err := outside(r.dir, r.opts.Out); err != nil {
		return err
	}
	to, err := newStaging(r.opts.Out, "a repair of a log")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	c := logCopy{dir: to.path(LogDir), name: segmentFile, after: r.start.Before()}
	if err := c.copy(ctx, r.logDir(), r.fromLog); err != nil {
		return err
	}
	if err := r.copyArchived(ctx, &c); err != nil {
		return err
	}
	if err := eventlog.WriteStart(to.path(LogDir), r.start); err != nil {
		return err
	}
	if err := r.copySnapshot(ctx, Snapshots{Dir: to.path(SnapshotsDir)}); err != nil {
		return err
	}
	head, err := r.beginEpoch(to.path(LogDir))
	if err != nil {
		return err
	}
	if err := to.publish(); err != nil {
		return err
	}
	r.report.Out, r.report.Head = r.opts.Out, &head
	return nil
}

// copySnapshot gives the new directory a snapshot to begin with, if there is a
// good one: a log whose first records are in the archive needs it.
func (r *repair) copySnapshot(ctx context.Context, to Snapshots) error {
	snap, found, err := r.snapshot(ctx)
	if err != nil || !found {
		return err
	}
	if err := durable.MkdirAll(to.Dir); err != nil {
		return err
	}
	if err := r.snapshots.Extract(ctx, snap, to.path(snap.Seq, copySuffix)); err != nil {
		return err
	}
	return to.writeManifest(snap)
}

// beginEpoch appends the record that tells of the repair, and returns the head.
func (r *repair) beginEpoch(logDir string) (head events.Head, err error) {
	log, err := eventlog.Open(logDir, eventlog.Options{})
	if err != nil {
		return head, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if log.Head() != r.report.Kept {
		return head, events.Errorf(events.CodeCorrupt, "the copy in %s ends at seq %d, and should at %d", filepath.Dir(logDir), log.Head().Seq, r.report.Kept.Seq)
	}
	epoch := &events.EpochStarted{
		LogID: r.epoch.LogID, Epoch: r.epoch.Epoch + 1,
		CommandWindow: r.epoch.CommandWindow, Fork: &r.report.Kept,
	}
	group := eventlog.NewGroup(log.Head())
	err = group.Add(&events.Record{
		Seq:   r.report.Kept.Seq + 1,
		Time:  max(r.now(), r.report.KeptAt),
		Meta:  events.Meta{Actor: r.opts.Actor, Reason: "log repair"},
		Facts: []events.Fact{{Event: epoch, Cause: events.NoCause}},
	})
	if err != nil {
		return head, err
	}
	return group.Head(), log.Append(group)
}

func (r *repair) now() events.Time {
	if r.opts.Clock == nil {
		return events.TimeOf(time.Now())
	}
	return events.TimeOf(r.opts.Clock())
}
