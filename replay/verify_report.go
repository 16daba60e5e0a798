package replay

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// VerifyReport is what a verification looked at, and what it found.
type VerifyReport struct {
	OK   bool   `json:"ok"`   // there are no findings
	Path string `json:"path"` // the data directory
	// HeldBy is who writes in the directory. Its views can't be read then, and an
	// unfinished end of its log is a write under way.
	HeldBy string `json:"held_by,omitempty"`
	Deep   bool   `json:"deep"` // the views were compared with a rebuild

	LogID    uuid.UUID    `json:"log_id"` // zero: not known
	Epoch    uint64       `json:"epoch"`
	FirstSeq uint64       `json:"first_seq"` // 0: there are no records
	Head     events.Head  `json:"head"`      // of the last record that was checked
	Records  uint64       `json:"records"`
	Events   uint64       `json:"events"`
	Segments uint64       `json:"segments"` // files of the log
	Bytes    int64        `json:"bytes"`    // of the records' frames
	Views    *VerifyViews `json:"views"`    // nil: none were checked
	// Archive is the archive that the first of the records are in; nil: they are all
	// in the log, or it could not be read.
	Archive   *VerifyArchive `json:"archive"`
	Snapshots int            `json:"snapshots"` // that were checked

	Seconds          float64 `json:"seconds"`
	RecordsPerSecond float64 `json:"records_per_second"`

	// NotChecked is what could not be checked, and is no fault by itself.
	NotChecked []string `json:"not_checked"`
	// Unreachable is why the archive could not be read; the records in it are not
	// checked then. Empty: it was, or there is none.
	Unreachable string    `json:"unreachable,omitempty"`
	FirstDamage *Place    `json:"first_damage"` // of the findings that have a place; nil: none has
	Findings    []Finding `json:"findings"`
	// MoreFindings counts those beyond the first hundred, which are left out.
	MoreFindings uint64 `json:"more_findings,omitempty"`
}

// VerifyViews tells of the views that were checked.
type VerifyViews struct {
	Seq    uint64      `json:"seq"`
	Digest events.Hash `json:"digest"` // of the rows that are there
	Rows   uint64      `json:"rows"`
}

// Place is where something stands in the log.
type Place struct {
	Segment string `json:"segment"` // file name in the log directory, or in the archive
	Seq     uint64 `json:"seq"`     // of the record that is there, or should be
	Byte    int64  `json:"byte"`    // in the segment file, of the record's beginning
}

func (p Place) String() string {
	kind := "segment"
	if p.archived() {
		kind = "file"
	}
	return fmt.Sprintf("%s %s, seq %d, byte %d", kind, p.Segment, p.Seq, p.Byte)
}

// archived reports whether the place is in the archive.
func (p *Place) archived() bool { return p != nil && strings.Contains(p.Segment, "/") }

// FindingKind tells what sort of thing is wrong.
type FindingKind string

// The kinds.
const (
	FindingDamage     FindingKind = "damage"     // what stands in the log is not what was written, or is missing
	FindingUnfinished FindingKind = "unfinished" // the log ends in what may be a write that never finished
	FindingTime       FindingKind = "time"       // a record is older than the one before it
	FindingRecord     FindingKind = "record"     // a record can't be decoded
	FindingEncoding   FindingKind = "encoding"   // a record is not in the one encoding that it has
	FindingDigest     FindingKind = "digest"     // a digest in the log is not that of the views
	FindingLost       FindingKind = "lost"       // records are missing that are known to have been there
	FindingHead       FindingKind = "head"       // a record is not the one that was noted
	FindingLogID      FindingKind = "log_id"     // it is another log
	FindingSnapshot   FindingKind = "snapshot"   // a snapshot is damaged, or not one of the log
	FindingViews      FindingKind = "views"      // the views are damaged, or not those of the log
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind FindingKind `json:"kind"`
	*Place
	Message string `json:"message"`
}

func (f Finding) String() string {
	if f.Place == nil {
		return f.Message
	}
	return f.Place.String() + ": " + f.Message
}

// maxFindings bounds the memory that a report takes.
const maxFindings = 100

func (r *VerifyReport) find(kind FindingKind, at *Place, format string, args ...any) {
	if r.FirstDamage == nil {
		r.FirstDamage = at
	}
	if len(r.Findings) == maxFindings {
		r.MoreFindings++
		return
	}
	r.Findings = append(r.Findings, Finding{kind, at, fmt.Sprintf(format, args...)})
}

func (r *VerifyReport) notChecked(format string, args ...any) {
	r.NotChecked = append(r.NotChecked, fmt.Sprintf(format, args...))
}

// finish fills in what follows from the rest.
func (r *VerifyReport) finish(began time.Time) {
	r.OK = len(r.Findings) == 0 && r.Unreachable == ""
	r.Seconds = time.Since(began).Seconds()
	if r.Seconds > 0 {
		r.RecordsPerSecond = float64(r.Records) / r.Seconds
	}
}

// Err returns nil when all is well, ErrCorrupt that names the first damaged place, or
// else ErrUnavailable when nothing is wrong with what could be read.
func (r *VerifyReport) Err() error {
	switch {
	case len(r.Findings) > 0:
	case r.Unreachable != "":
		return events.Errorf(events.CodeUnavailable, "verify: %s: the archive was not checked: %s; if another place has it, verify with --archive LOCATION", r.Path, r.Unreachable)
	default:
		return nil
	}
	first := r.Findings[0]
	for _, f := range r.Findings {
		if f.Place != nil {
			first = f
			break
		}
	}
	count := "1 finding"
	if n := uint64(len(r.Findings)) + r.MoreFindings; n > 1 {
		count = fmt.Sprintf("%d findings, the first", n)
	}
	way := "keep the directory as it is, and restore a backup or see what 'metalog log repair' would keep"
	if first.Place.archived() {
		way = "restore the file from a copy of the archive"
	}
	return events.Errorf(events.CodeCorrupt, "verify: %s: %s: %s; %s", r.Path, count, first, way)
}
