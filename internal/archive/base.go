package archive

import (
	"encoding/json"
	"strings"

	"github.com/metalog/metalog/events"
)

// Base is a copy of the views, compressed: what reading the states behind it begins
// with, once the records before it are gone.
type Base struct {
	Seq       uint64          `json:"seq"`  // the last record in it
	Hash      events.Hash     `json:"hash"` // of that record's frame
	File      string          `json:"file"`
	FileBytes int64           `json:"file_bytes"` // compressed
	SizeBytes int64           `json:"size_bytes"` // of the views' file
	SHA256    events.Hash     `json:"sha256"`     // of the views' file
	Snapshot  json.RawMessage `json:"snapshot"`   // the manifest of the snapshot that it was
}

const baseSuffix = ".db.zst"

func isBase(file string) bool {
	return strings.HasPrefix(file, basesDir+"/") && strings.HasSuffix(file, baseSuffix)
}
