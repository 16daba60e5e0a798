package metalog

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/archive"
)

// ArchiveInfo tells, in the [Info] of a store, of its archive.
type ArchiveInfo struct {
	Location  string `json:"location"`
	FirstSeq  uint64 `json:"first_seq"` // 0: not known, the archive was not reached yet
	LastSeq   uint64 `json:"last_seq"`
	Files     int    `json:"files"`
	FileBytes int64  `json:"file_bytes"` // compressed
}

// ArchiveStatus tells what an archive has.
type ArchiveStatus struct {
	ArchiveInfo
	LogID uuid.UUID `json:"log_id"`
	Epoch uint64    `json:"epoch"` // of the log that wrote to it last
	Bytes int64     `json:"bytes"` // of the log, in its files
	// Base is the snapshot that states after a prune begin with; nil: there is none.
	Base     *Snapshot     `json:"base"`
	Segments []ArchiveFile `json:"segments"`
}

// ArchiveFile tells what a file of the archive has: one segment of the log.
type ArchiveFile struct {
	ArchivedSegment
	File      string            `json:"file"` // its name in the archive
	FirstTime events.Time       `json:"first_time"`
	LastTime  events.Time       `json:"last_time"`
	Events    map[string]uint64 `json:"events"` // by type
}

// archiveInfo tells of the archive what is known without asking it.
func (s *Store) archiveInfo() *ArchiveInfo {
	if !s.archive.Known() {
		return nil
	}
	info := ArchiveInfo{Location: s.archiveLocation(), LastSeq: s.log.First() - 1}
	if a := s.archive.Opened(); a != nil {
		info = infoOfArchive(a)
	}
	return &info
}

func infoOfArchive(a *archive.Archive) ArchiveInfo {
	files, bytes := a.Size()
	return ArchiveInfo{Location: a.String(), FirstSeq: a.First(), LastSeq: a.Head().Seq, Files: files, FileBytes: bytes}
}

// ListArchive tells what the archive has, file by file. It is ErrNotFound when
// nothing was moved to one.
func (s *Store) ListArchive(ctx context.Context) (ArchiveStatus, error) {
	if !s.archive.Known() {
		return ArchiveStatus{}, events.Errorf(events.CodeNotFound, "archive: no segment of the log was moved to one; 'metalog archive --to LOCATION' does")
	}
	a, err := s.archive.Archive(ctx)
	if err != nil {
		return ArchiveStatus{}, err
	}
	state := a.State()
	status := ArchiveStatus{ArchiveInfo: infoOfArchive(a), LogID: state.LogID, Epoch: state.Epoch, Segments: []ArchiveFile{}}
	if state.Base != nil {
		status.Base = new(Snapshot)
		if err := json.Unmarshal(state.Base.Snapshot, status.Base); err != nil {
			return status, events.Errorf(events.CodeCorrupt, "archive %s: what it tells of its base can't be read: %w", a, err)
		}
	}
	for m, err := range a.Files(ctx) {
		if err != nil {
			return status, err
		}
		status.Bytes += m.SegmentBytes
		status.Segments = append(status.Segments, ArchiveFile{
			ArchivedSegment: ArchivedSegment{FirstSeq: m.FirstSeq, LastSeq: m.LastSeq, Bytes: m.SegmentBytes, FileBytes: m.FileBytes},
			File:            m.File(), FirstTime: m.FirstTime, LastTime: m.LastTime, Events: m.Events,
		})
	}
	return status, nil
}
