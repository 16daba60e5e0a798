package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// formatVersion is that of files and manifests.
const formatVersion = 1

// Manifest tells what a file has: one segment of the log. It is written last, and
// a file without one does not exist.
type Manifest struct {
	Format uint64    `json:"format"` // 1
	LogID  uuid.UUID `json:"log_id"`
	Epoch  uint64    `json:"epoch"` // that the log was in when the segment was moved

	FirstSeq  uint64            `json:"first_seq"`
	LastSeq   uint64            `json:"last_seq"`
	Prev      events.Hash       `json:"prev"`      // of the frame before the first
	LastHash  events.Hash       `json:"last_hash"` // of the last frame
	FirstTime events.Time       `json:"first_time"`
	LastTime  events.Time       `json:"last_time"`
	Events    map[string]uint64 `json:"events"` // by type

	SegmentBytes  int64       `json:"segment_bytes"` // as it was in the log
	SegmentSHA256 events.Hash `json:"segment_sha256"`
	FileBytes     int64       `json:"file_bytes"` // compressed
	FileSHA256    events.Hash `json:"file_sha256"`
	Blocks        []Block     `json:"blocks"`

	CreatedAt events.Time `json:"created_at"`
	// Check is the SHA-256 of the manifest's JSON as it is with a zero Check.
	Check events.Hash `json:"check"`
}

// Block is a part of a file that is decompressed by itself.
type Block struct {
	FirstSeq uint64      `json:"first_seq"`
	Time     events.Time `json:"time"`   // of that record
	Offset   int64       `json:"offset"` // in the segment, of that record's entry
	At       int64       `json:"at"`     // in the file
}

// Head is the log's head with the file's last record.
func (m *Manifest) Head() events.Head { return events.Head{Seq: m.LastSeq, Hash: m.LastHash} }

func (m *Manifest) name() name { return name{m.FirstSeq, m.LastSeq, hashPrefix(m.LastHash)} }

// blockEnd is where block i ends, in the segment and in the file.
func (m *Manifest) blockEnd(i int) (offset, at int64) {
	if i+1 < len(m.Blocks) {
		return m.Blocks[i+1].Offset, m.Blocks[i+1].At
	}
	return m.SegmentBytes, m.FileBytes
}

func (m *Manifest) encode() ([]byte, error) {
	m.Check = events.Hash{}
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, err
	}
	m.Check = sha256.Sum256(data)
	data, err = json.MarshalIndent(m, "", " ")
	return append(data, '\n'), err
}

// decodeManifest reads the manifest of the file with that name.
func decodeManifest(data []byte, of name) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("its manifest is damaged: %w", err)
	}
	if m.Format != formatVersion {
		return nil, fmt.Errorf("its format %d is not known (newest: %d); a newer metalog wrote it", m.Format, formatVersion)
	}
	again, err := m.encode() // there is one encoding
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, data) || m.name() != of || !m.ordered() {
		return nil, fmt.Errorf("its manifest was altered")
	}
	return m, nil
}

// ordered reports whether the blocks cover the file.
func (m *Manifest) ordered() bool {
	for i, b := range m.Blocks {
		end, atEnd := m.blockEnd(i)
		if b.Offset < 0 || b.At < 0 || end <= b.Offset || atEnd <= b.At || i > 0 && b.FirstSeq <= m.Blocks[i-1].FirstSeq {
			return false
		}
	}
	return len(m.Blocks) > 0 && m.Blocks[0].FirstSeq == m.FirstSeq && m.Blocks[0].Offset == 0
}

// Files in a place.
const (
	stateFile      = "ARCHIVE.json"
	segmentsDir    = "segments"
	basesDir       = "bases"
	dataSuffix     = ".mla"
	manifestSuffix = ".json"
)

// name is what a file's name tells. The hash keeps files apart that two epochs of
// a log have of the same seqs.
type name struct {
	first, last uint64
	hash        string // the beginning of the last frame's, in hexadecimal
}

const hashDigits = 16

func hashPrefix(h events.Hash) string { return h.String()[:hashDigits] }

func (n name) String() string { return fmt.Sprintf("%020d-%020d-%s", n.first, n.last, n.hash) }

func (n name) data() string     { return segmentsDir + "/" + n.String() + dataSuffix }
func (n name) manifest() string { return segmentsDir + "/" + n.String() + manifestSuffix }

// parseName reads the name of a data file or a manifest.
func parseName(path string) (n name, suffix string, ok bool) {
	file, found := strings.CutPrefix(path, segmentsDir+"/")
	dot := strings.IndexByte(file, '.')
	if !found || dot < 0 {
		return n, "", false
	}
	parts := strings.Split(file[:dot], "-")
	if len(parts) != 3 {
		return n, "", false
	}
	var errFirst, errLast error
	n.first, errFirst = strconv.ParseUint(parts[0], 10, 64)
	n.last, errLast = strconv.ParseUint(parts[1], 10, 64)
	n.hash = parts[2]
	ok = errFirst == nil && errLast == nil && n.first > 0 && n.first <= n.last && n.String() == file[:dot]
	return n, file[dot:], ok
}

// File is the name of the data file in the archive.
func (m *Manifest) File() string { return m.name().data() }
