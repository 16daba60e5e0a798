package model

import (
	"path/filepath"

	"github.com/metalog/metalog"
)

// archiveStep moves what it may of the log to an archive. All that is read later, by
// this step or another, comes from log and archive as one; nothing may change by it.
func (r *run) archiveStep() {
	if r.archive == "" {
		r.archive = filepath.Join(r.tb.TempDir(), "archive")
	}
	if r.chance("with a new snapshot") {
		_, err := r.CreateSnapshot(r.tb.Context())
		r.tb.ok(err)
	}
	before := r.MustInfo()
	policy := metalog.ArchivePolicy{
		KeepRecords: uint64(r.number("keep records", 50)),
		KeepBytes:   r.number("keep bytes", 1000) * 8,
	}
	report, err := r.Archive(r.tb.Context(), metalog.ArchiveOptions{To: r.archive, ArchivePolicy: policy})
	r.tb.ok(err)
	if first := r.MustInfo().FirstSeq; first < before.FirstSeq || first != report.FirstSeq || len(report.Segments) == 0 != (first == before.FirstSeq) {
		r.Fatalf("the log began with seq %d, and begins with %d; %+v", before.FirstSeq, first, report)
	}
	next := uint64(1)
	for rec, err := range r.Store.Log().Records(r.tb.Context(), 1) {
		r.tb.ok(err)
		if rec.Seq != next {
			r.Fatalf("seq %d after %d", rec.Seq, next-1)
		}
		next++
	}
	if next != before.Seq+1 {
		r.Fatalf("log and archive end with seq %d, want %d", next-1, before.Seq)
	}
	r.sameAs(before)
}
