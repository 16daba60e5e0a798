package replay_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// closedStore makes a data directory with topics and digests in several segments
// of log, a snapshot, and closes it.
func closedStore(t *testing.T) string {
	t.Helper()
	s := storetest.Open(t, func(o *metalog.Options) { o.SegmentSize, o.DigestEvery = 2000, 5 })
	for i := range 18 {
		s.Must(metalog.CreateTopic{Name: fmt.Sprintf("topic-%d", i), Partitions: 1, ReplicationFactor: 1})
		if i == 9 {
			if _, err := s.CreateSnapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.MustClose()
	return copyDir(t, s.Options.Path)
}

func copyDir(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func verify(t *testing.T, dir string, opts replay.VerifyOptions) replay.VerifyReport {
	t.Helper()
	report, err := replay.Verify(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// wantFinding checks that a finding of a kind has a text in its message.
func wantFinding(t *testing.T, r replay.VerifyReport, kind replay.FindingKind, text string) {
	t.Helper()
	if r.OK || !errors.Is(r.Err(), events.ErrCorrupt) {
		t.Errorf("ok %v, error %v, want ErrCorrupt", r.OK, r.Err())
	}
	for _, f := range r.Findings {
		if f.Kind == kind && strings.Contains(f.String(), text) {
			return
		}
	}
	t.Errorf("no finding of kind %s with %q; got %v", kind, text, r.Findings)
}

func TestVerifySound(t *testing.T) {
	t.Parallel()
	dir := closedStore(t)
	steps := map[string]int{}
	r := verify(t, dir, replay.VerifyOptions{Deep: true, Progress: func(p replay.VerifyProgress) { steps[p.Step]++ }})
	if !r.OK || r.Err() != nil || len(r.NotChecked) > 0 {
		t.Fatalf("report %+v", r)
	}
	frames := scan(t, dir)
	last := frames[len(frames)-1]
	if r.Records != uint64(len(frames)) || r.Head != (events.Head{Seq: last.Seq, Hash: last.Hash}) || r.FirstSeq != 1 || r.Segments < 2 || r.Epoch != 1 || r.LogID == uuid.Nil {
		t.Errorf("report %+v, the log has %d records up to %s", r, len(frames), last.Hash)
	}
	if r.Views == nil || r.Views.Seq != r.Head.Seq || r.Views.Rows == 0 || r.Snapshots != 1 || !r.Deep || r.Events < r.Records {
		t.Errorf("report %+v, views %+v", r, r.Views)
	}
	if _, err := os.Stat(filepath.Join(dir, "LOCK")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "LOCK")); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir, replay.VerifyOptions{}); !r.OK || r.Deep {
		t.Errorf("without a lock file: %+v", r)
	}
	if _, err := os.Stat(filepath.Join(dir, "LOCK")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("verify made a lock file (%v)", err)
	}
}

func TestVerifyNothing(t *testing.T) {
	t.Parallel()
	if _, err := replay.Verify(t.Context(), t.TempDir(), replay.VerifyOptions{}); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("an empty directory: %v, want ErrNotFound", err)
	}
	dir := closedStore(t)
	if _, err := replay.Verify(t.Context(), dir, replay.VerifyOptions{Expect: []events.Head{{}}}); !errors.Is(err, events.ErrInvalid) {
		t.Errorf("head of seq 0: %v, want ErrInvalid", err)
	}
}

// TestVerifyEveryByte flips a bit in every byte of a log: each is found at the
// record that the byte is in, be it in the last group, and closed cleanly or not.
func TestVerifyEveryByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeLog(t, dir, 900, chainOf(12)...)
	frames := scan(t, dir)
	for name, step := range map[string]int{"closed": 1, "crashed": 5} {
		if name == "crashed" {
			if err := os.Remove(filepath.Join(dir, "log", "CLEAN")); err != nil {
				t.Fatal(err)
			}
		}
		for _, at := range frames {
			path := filepath.Join(dir, "log", at.Segment)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			entry := append(binary.AppendUvarint(nil, uint64(len(at.Bytes))), at.Bytes...)
			for i := at.Offset; i < at.Offset+int64(len(entry)); i += int64(step) {
				flipped := []byte(string(whole))
				flipped[i] ^= 1 << (i % 8)
				write(t, path, flipped)
				r := verify(t, dir, replay.VerifyOptions{})
				want := replay.Place{Segment: at.Segment, Seq: at.Seq, Byte: at.Offset}
				if r.OK || r.FirstDamage == nil || *r.FirstDamage != want {
					t.Fatalf("%s, byte %d of %s: damage at %v, want %v", name, i, at.Segment, r.FirstDamage, want)
				}
			}
			write(t, path, whole)
		}
		if r := verify(t, dir, replay.VerifyOptions{}); !r.OK {
			t.Fatalf("%s, unchanged again: %v", name, r.Findings)
		}
	}
}

// TestVerifyRewritten: a log that was rewritten with right checksums.
func TestVerifyRewritten(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(records []raw) []raw
		kind   replay.FindingKind
		seq    uint64
		text   string
	}{
		{"chain broken", func(r []raw) []raw { r[5].breakChain = true; return r }, replay.FindingDamage, 6, "made after another seq 5"},
		{"seq left out", func(r []raw) []raw { return append(r[:5], r[6:]...) }, replay.FindingDamage, 6, "seq 7 stands here"},
		{"seq twice", func(r []raw) []raw { return append(r[:6], r[5:]...) }, replay.FindingDamage, 7, "copy of seq 6"},
		{"time goes back", func(r []raw) []raw { r[5].rec.Time = 1; return r }, replay.FindingTime, 6, "before that of the record before it"},
		{"not canonical", func(r []raw) []raw { r[5].longType = true; return r }, replay.FindingEncoding, 6, "canonical"},
		{"unknown schema version", func(r []raw) []raw { r[5].unknownVersion = true; return r }, replay.FindingRecord, 6, "schema version 99 is not known"},
		{"digest of another seq", func(r []raw) []raw {
			r[5].rec.Facts[0].Event = &events.DigestRecorded{At: 3, SchemaVersion: views.SchemaVersion}
			return r
		}, replay.FindingDigest, 6, "seq 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			writeRaw(t, dir, test.change(rawChain(10)))
			r := verify(t, dir, replay.VerifyOptions{})
			wantFinding(t, r, test.kind, test.text)
			if r.FirstDamage == nil || r.FirstDamage.Seq != test.seq {
				t.Errorf("first damage %v, want seq %d", r.FirstDamage, test.seq)
			}
			if len(r.Findings) != 1 {
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
	dir := t.TempDir()
	writeRaw(t, dir, rawChain(10))
	if r := verify(t, dir, replay.VerifyOptions{}); !r.OK || r.Records != 10 {
		t.Errorf("without a change: %+v", r)
	}
}

// TestVerifyExpect: heads noted earlier find what is consistent in itself.
func TestVerifyExpect(t *testing.T) {
	t.Parallel()
	dir := closedStore(t)
	frames := scan(t, dir)
	noted := func(seq uint64) events.Head { return events.Head{Seq: seq, Hash: frames[seq-1].Hash} }
	last := uint64(len(frames))
	tests := []struct {
		name   string
		expect []events.Head
		kind   replay.FindingKind // empty: none
		text   string
	}{
		{"true ones", []events.Head{noted(1), noted(7), noted(last)}, "", ""},
		{"another hash", []events.Head{noted(3), {Seq: 7, Hash: noted(6).Hash}}, replay.FindingHead, "seq 7 has hash"},
		{"beyond the end", []events.Head{{Seq: last + 1}}, replay.FindingLost, "records were lost"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := verify(t, dir, replay.VerifyOptions{Expect: test.expect})
			if test.kind != "" {
				wantFinding(t, r, test.kind, test.text)
			} else if !r.OK {
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
	r := verify(t, dir, replay.VerifyOptions{LogID: uuid.UUID{15: 1}})
	wantFinding(t, r, replay.FindingLogID, "another log")
	if r := verify(t, dir, replay.VerifyOptions{LogID: r.LogID}); !r.OK {
		t.Errorf("its own id: %v", r.Findings)
	}
}

// TestVerifyTail: a log without its end, which is whole in itself.
func TestVerifyTail(t *testing.T) {
	t.Parallel()
	dir := closedStore(t)
	frames := scan(t, dir)
	last := frames[len(frames)-1]
	truncate(t, dir, last, 0)
	wantFinding(t, verify(t, dir, replay.VerifyOptions{}), replay.FindingDamage, "but was closed with seq")

	remove(t, filepath.Join(dir, "log", "CLEAN"))
	wantFinding(t, verify(t, dir, replay.VerifyOptions{}), replay.FindingLost, "the views' checkpoint")
	if r := verify(t, dir, replay.VerifyOptions{Deep: true}); len(r.Findings) != 1 {
		t.Errorf("a rebuild adds to it: %v", r.Findings)
	}

	remove(t, filepath.Join(dir, "views.db"))
	if r := verify(t, dir, replay.VerifyOptions{}); !r.OK || len(r.NotChecked) != 1 {
		t.Errorf("nothing knows of the lost record, but: %+v", r)
	}
	truncate(t, dir, frames[len(frames)-2], 10)
	wantFinding(t, verify(t, dir, replay.VerifyOptions{}), replay.FindingUnfinished, "may be a write that was cut short")
	expect := []events.Head{{Seq: last.Seq, Hash: last.Hash}}
	wantFinding(t, verify(t, dir, replay.VerifyOptions{Expect: expect}), replay.FindingDamage, "was durable")
}

// TestVerifyAlteredDigest: a digest in the log that is not that of the views is
// found by a rebuild, which names the first.
func TestVerifyAlteredDigest(t *testing.T) {
	t.Parallel()
	dir := closedStore(t)
	var altered []uint64
	var records []raw
	for _, at := range scan(t, dir) {
		rec, err := at.Record()
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := rec.Facts[0].Event.(*events.DigestRecorded); ok {
			e.Digest[0] ^= 1
			altered = append(altered, rec.Seq)
		}
		records = append(records, raw{rec: rec})
	}
	if len(altered) < 2 {
		t.Fatalf("the log has digests at %v", altered)
	}
	rewritten := t.TempDir()
	writeRaw(t, rewritten, records)
	if r := verify(t, rewritten, replay.VerifyOptions{}); !r.OK {
		t.Errorf("without a rebuild: %v", r.Findings)
	}
	r := verify(t, rewritten, replay.VerifyOptions{Deep: true})
	wantFinding(t, r, replay.FindingDigest, "the log noted")
	if r.FirstDamage == nil || r.FirstDamage.Seq != altered[0] {
		t.Errorf("first damage %v, want seq %d", r.FirstDamage, altered[0])
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// truncate leaves so many bytes of a record, and nothing after it.
func truncate(t *testing.T, dir string, at eventlog.Located, bytes int64) {
	t.Helper()
	if err := os.Truncate(filepath.Join(dir, "log", at.Segment), at.Offset+bytes); err != nil {
		t.Fatal(err)
	}
}
