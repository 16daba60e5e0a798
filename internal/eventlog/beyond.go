package eventlog

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/metalog/metalog/internal/durable"
)

// Beyond looks at what stands in the log behind a damage that [Scan] found, for
// who wants to know what giving it up would cost. It calls found for each whole
// frame of a known format, in the order of the files: their checksums are right,
// and nothing else is checked. It returns the bytes behind the damage.
func Beyond(dir string, d *Damage, found func(Frame)) (size int64, err error) {
	files, err := list(dir)
	if err != nil {
		return 0, err
	}
	for i, first := range files.segs {
		name := segmentName(first)
		if name < d.Segment {
			continue
		}
		data, err := os.ReadFile(segmentPath(dir, first))
		if err != nil {
			return size, err
		}
		if i == len(files.segs)-1 {
			data = bytes.TrimRight(data, "\x00") // nobody wrote those
		}
		if name == d.Segment {
			data = data[min(d.Offset, int64(len(data))):]
		}
		size += int64(len(data))
		wholeFrames(data, func(b []byte) {
			if f, d := parseFrame(b); d == nil {
				found(f)
			}
		})
	}
	return size, nil
}

// WriteStart notes, durably, where the copy of a log in dir starts. A log that
// starts at seq 1 needs no note.
func WriteStart(dir string, start Start) error {
	if start.First <= 1 {
		return nil
	}
	note, err := encodeNote(start)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, startFile), note)
}
