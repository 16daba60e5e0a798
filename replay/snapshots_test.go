package replay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

func snapshotsOf(dir string) replay.Snapshots {
	return replay.Snapshots{Dir: filepath.Join(dir, replay.SnapshotsDir)}
}

func createSnapshot(t *testing.T, s *storetest.Store) replay.Snapshot {
	t.Helper()
	snap, err := s.CreateSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// addTopics creates n topics with names of their own.
func addTopics(s *storetest.Store, prefix string, n int) {
	for i := range n {
		s.Must(metalog.CreateTopic{Name: fmt.Sprintf("%s-%d", prefix, i), Partitions: 1, ReplicationFactor: 1})
	}
}

func seqsOf(t *testing.T, s replay.Snapshots) []uint64 {
	t.Helper()
	list, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var seqs []uint64
	for _, snap := range list {
		seqs = append(seqs, snap.Seq)
	}
	return seqs
}

// copyOf returns the path of a snapshot's copy.
func copyOf(s replay.Snapshots, snap replay.Snapshot) string {
	return filepath.Join(s.Dir, fmt.Sprintf("%020d.db", snap.Seq))
}

func manifestOf(s replay.Snapshots, snap replay.Snapshot) string {
	return filepath.Join(s.Dir, fmt.Sprintf("%020d.json", snap.Seq))
}

func TestSnapshotCreate(t *testing.T) {
	s := storetest.Open(t)
	addTopics(s, "a", 20)
	info := s.MustInfo()
	snap := createSnapshot(t, s)
	if snap.LogID != info.LogID || snap.Epoch != info.Epoch || snap.Head() != info.Head || snap.Digest != info.Digest || snap.Time != info.Time || snap.SchemaVersion != views.SchemaVersion {
		t.Errorf("snapshot %+v of %+v", snap, info)
	}
	snapshots := snapshotsOf(s.Options.Path)
	if list, err := snapshots.List(); err != nil || !slices.Equal(list, []replay.Snapshot{snap}) {
		t.Errorf("list %+v, %v", list, err)
	}
	if again := createSnapshot(t, s); again != snap {
		t.Errorf("at the same seq: %+v, before %+v", again, snap)
	}
	for _, path := range []string{copyOf(snapshots, snap), manifestOf(snapshots, snap)} {
		if file, err := os.Stat(path); err != nil || file.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", path, file.Mode(), err)
		}
	}
	checkCopy(t, snapshots, snap)
	if err := snapshots.Verify(t.Context(), snap); err != nil {
		t.Errorf("after it was opened: %v", err)
	}
}

// checkCopy extracts a snapshot and compares its rows with its manifest.
func checkCopy(t *testing.T, s replay.Snapshots, snap replay.Snapshot) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "views.db")
	if err := s.Extract(t.Context(), snap, path); err != nil {
		t.Fatal(err)
	}
	db, err := views.Open(views.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := db.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	digest, _, err := rows.ComputeDigest(t.Context())
	if at := rows.Checkpoint(); err != nil || at.Head() != snap.Head() || at.Digest != snap.Digest || digest != snap.Digest {
		t.Errorf("rows at %v with digest %s (checkpoint %s), %v; manifest %+v", at.Head(), digest, at.Digest, err, snap)
	}
	if err := errors.Join(rows.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// A snapshot that differs from its manifest is found out, and does no harm.
func TestSnapshotDamaged(t *testing.T) {
	s := storetest.Open(t)
	addTopics(s, "a", 3)
	snap := createSnapshot(t, s)
	damages := map[string]func(data []byte) []byte{
		"shorter":  func(data []byte) []byte { return data[:len(data)-1] },
		"longer":   func(data []byte) []byte { return append(data, 0) },
		"altered":  func(data []byte) []byte { data[len(data)/2] ^= 1; return data },
		"missing":  func([]byte) []byte { return nil },
		"zeroed":   func(data []byte) []byte { clear(data[4096:8192]); return data },
		"swapped":  func(data []byte) []byte { data[0], data[16] = data[16], data[0]; return data },
		"emptied":  func(data []byte) []byte { return data[:0] },
		"replaced": func([]byte) []byte { return []byte("something else") },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			snapshots := snapshotsOf(copyDir(t, s.Options.Path))
			path := copyOf(snapshots, snap)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if data = damage(data); data == nil {
				remove(t, path)
			} else {
				write(t, path, data)
			}
			if err := snapshots.Verify(t.Context(), snap); !errors.Is(err, events.ErrCorrupt) {
				t.Errorf("verify: %v", err)
			}
			target := filepath.Join(t.TempDir(), "views.db")
			write(t, target, []byte("old"))
			if err := snapshots.Extract(t.Context(), snap, target); !errors.Is(err, events.ErrCorrupt) {
				t.Errorf("extract: %v", err)
			}
			if left, err := os.ReadFile(target); err != nil || string(left) != "old" {
				t.Errorf("the target has %q, %v", left, err)
			}
		})
	}
}

// A damaged snapshot does not keep a good one of the same seq from being made.
func TestSnapshotReplacesDamaged(t *testing.T) {
	s := storetest.Open(t)
	snap := createSnapshot(t, s)
	snapshots := snapshotsOf(s.Options.Path)
	write(t, copyOf(snapshots, snap), []byte("damaged"))
	checkCopy(t, snapshots, createSnapshot(t, s))
}

// Wherever making or removing a snapshot is interrupted, the one before it is
// there, the unfinished one is not, the next can be made, and nothing is left.
func TestSnapshotInterrupted(t *testing.T) {
	s := storetest.Open(t)
	addTopics(s, "a", 2)
	first := createSnapshot(t, s)
	addTopics(s, "b", 2)
	second := createSnapshot(t, s)
	snapshots := snapshotsOf(s.Options.Path)
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	unnamed := filepath.Join(snapshots.Dir, "new.db")
	states := []struct {
		name string
		make func()
	}{
		{"manifest half written", func() { move(manifestOf(snapshots, second), manifestOf(snapshots, second)+".tmp") }},
		{"manifest removed, copy not", func() { remove(t, manifestOf(snapshots, second)) }},
		{"copied, not named", func() {
			remove(t, manifestOf(snapshots, second))
			move(copyOf(snapshots, second), unnamed)
		}},
		{"half copied", func() {
			remove(t, manifestOf(snapshots, second))
			move(copyOf(snapshots, second), unnamed+".tmp")
		}},
		{"manifest damaged", func() { write(t, manifestOf(snapshots, second), []byte("{")) }},
	}
	for _, state := range states {
		t.Run(state.name, func(t *testing.T) {
			state.make()
			if got := seqsOf(t, snapshots); !slices.Equal(got, []uint64{first.Seq}) {
				t.Fatalf("snapshots %v", got)
			}
			if again := createSnapshot(t, s); again.Seq != second.Seq {
				t.Fatalf("made again at %d, before at %d", again.Seq, second.Seq)
			}
			checkCopy(t, snapshots, second)
			if entries, err := os.ReadDir(snapshots.Dir); err != nil || len(entries) != 4 {
				t.Errorf("left: %v, %v", entries, err)
			}
		})
	}
}

func TestSnapshotNearest(t *testing.T) {
	snapshots := replay.Snapshots{Dir: t.TempDir()}
	for _, snap := range []replay.Snapshot{
		{Seq: 10, SchemaVersion: views.SchemaVersion},
		{Seq: 20, SchemaVersion: views.SchemaVersion},
		{Seq: 30, SchemaVersion: views.SchemaVersion + 1},
	} {
		manifest, err := json.Marshal(snap)
		if err != nil {
			t.Fatal(err)
		}
		write(t, manifestOf(snapshots, snap), manifest)
	}
	for seq, want := range map[uint64]uint64{9: 0, 10: 10, 19: 10, 20: 20, 30: 20, 1000: 20} {
		if snap, found, err := snapshots.Nearest(seq); err != nil || found != (want != 0) || found && snap.Seq != want {
			t.Errorf("nearest to %d: %d, %v, %v; want %d", seq, snap.Seq, found, err, want)
		}
	}
	if snap, found, err := snapshots.Newest(); err != nil || !found || snap.Seq != 20 {
		t.Errorf("newest %d, %v, %v", snap.Seq, found, err)
	}
	if witness, err := snapshots.Witness(); err != nil || witness != 30 {
		t.Errorf("witness %d, %v", witness, err)
	}
}

// Snapshots that are taken while others write are each the state at one seq: the
// one that a rebuild up to there has.
func TestSnapshotDuringWrites(t *testing.T) {
	s := storetest.Open(t, func(o *metalog.Options) {
		o.MaxPendingBytes, o.SnapshotEvery, o.DigestEvery = 4096, -1, 50
	})
	const writers = 4
	s.Must(metalog.CreateTopic{Name: "t", Partitions: writers, ReplicationFactor: 1})
	s.Must(metalog.CreateGroup{ID: "g"})
	stop, failed := make(chan struct{}), make(chan error, writers)
	for w := range writers {
		go func() { failed <- commitUntil(t.Context(), s, int32(w), stop) }()
	}
	var taken []replay.Snapshot
	for len(taken) < 5 {
		taken = append(taken, createSnapshot(t, s))
	}
	close(stop)
	for range writers {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	s.MustClose()
	points := map[uint64]events.Hash{}
	for _, snap := range taken {
		points[snap.Seq] = snap.Digest
	}
	if len(points) < 2 {
		t.Errorf("nothing was written between snapshots: %v", points)
	}
	checkCopy(t, snapshotsOf(s.Options.Path), taken[len(taken)-1])
	for seq, digest := range rebuiltDigests(t, s.Options.Path, points) {
		if digest != points[seq] {
			t.Errorf("seq %d: the snapshot has digest %s, a rebuild %s", seq, points[seq], digest)
		}
	}
}

func commitUntil(ctx context.Context, s *storetest.Store, partition int32, stop <-chan struct{}) error {
	for offset := int64(0); ; offset++ {
		select {
		case <-stop:
			return nil
		default:
		}
		cmd := metalog.CommitOffsets{Group: "g", Offsets: []metalog.OffsetCommit{{Topic: "t", Partition: partition, Offset: offset}}}
		if _, err := s.Execute(ctx, cmd, metalog.CommandOptions{}); err != nil {
			return err
		}
	}
}

// rebuiltDigests applies a log from its start, and returns the digest at each of
// the points.
func rebuiltDigests(t *testing.T, dir string, points map[uint64]events.Hash) map[uint64]events.Hash {
	t.Helper()
	db, err := views.Open(views.Options{Path: filepath.Join(t.TempDir(), "views.db")})
	if err != nil {
		t.Fatal(err)
	}
	tx, digests := db.Writer(), map[uint64]events.Hash{}
	if err := tx.Begin(); err != nil {
		t.Fatal(err)
	}
	for at, err := range eventlog.Scan(t.Context(), filepath.Join(dir, replay.LogDir), 0) {
		if err != nil {
			t.Fatal(err)
		}
		rec, err := at.Record()
		if err == nil {
			err = projector.Apply(tx, rec)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, wanted := points[rec.Seq]; wanted {
			digests[rec.Seq] = tx.Digest()
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return digests
}
