package metalog_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

const pageSize = 4096 // of the views' file, if nobody chose another

// keepLogs has a store log into the buffer that it returns, which may be read
// once the store is closed.
func keepLogs(o *metalog.Options) *bytes.Buffer {
	var logs bytes.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&logs, nil))
	return &logs
}

func viewsPath(s *storetest.Store) string { return filepath.Join(s.Options.Path, "views.db") }

// damages are what can become of a views file.
var damages = map[string]func(t *testing.T, path string){
	"missing":   func(t *testing.T, path string) { check(t, os.Remove(path)) },
	"empty":     func(t *testing.T, path string) { check(t, os.Truncate(path, 0)) },
	"truncated": func(t *testing.T, path string) { check(t, os.Truncate(path, 5*pageSize)) },
	"garbage": func(t *testing.T, path string) {
		check(t, os.WriteFile(path, bytes.Repeat([]byte("garbage "), 4096), 0o600))
	},
	"metas zeroed": func(t *testing.T, path string) {
		overwrite(t, path, 0, make([]byte, 2*pageSize))
	},
	"a page of rows zeroed": func(t *testing.T, path string) {
		overwrite(t, path, pageOfRows(t, path)*pageSize, make([]byte, pageSize))
	},
	"a page of rows is another": func(t *testing.T, path string) {
		id := pageOfRows(t, path)
		overwrite(t, path, id*pageSize, binary.LittleEndian.AppendUint64(nil, uint64(id+1)))
	},
	"other schema": func(t *testing.T, path string) {
		inViews(t, path, func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("meta")).Put([]byte("schema"), binary.BigEndian.AppendUint64(nil, views.SchemaVersion+1))
		})
	},
	"a bucket is missing": func(t *testing.T, path string) {
		inViews(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("topics")) })
	},
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path string, at int64, data []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	check(t, err)
	_, err = file.WriteAt(data, at)
	check(t, errors.Join(err, file.Close()))
}

func inViews(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	check(t, err)
	check(t, errors.Join(db.Update(change), db.Close()))
}

// pageOfRows returns the number of a page that holds topics and nothing else.
func pageOfRows(t *testing.T, path string) (id int64) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	check(t, err)
	check(t, errors.Join(db.View(func(tx *bbolt.Tx) error {
		id = int64(tx.Bucket([]byte("topics")).Root())
		return nil
	}), db.Close()))
	if id == 0 {
		t.Fatal("the topics fit into their bucket's parent; the test needs more of them")
	}
	return id
}

// Whatever became of the views, opening makes them again: from the snapshot and
// the log after it, or from all of the log. That they are right is checked by
// storetest when the test ends.
func TestOpenRecoversViews(t *testing.T) {
	t.Parallel()
	for name, damage := range damages {
		for _, withSnapshot := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, snapshot %v", name, withSnapshot), func(t *testing.T) {
				t.Parallel()
				s := storetest.Open(t)
				logs := keepLogs(&s.Options)
				snapped := fillAround(t, s, withSnapshot)
				want := s.MustInfo()
				s.MustClose()
				damage(t, viewsPath(s))
				s.Reopen()
				if got := s.MustInfo(); got.Head != want.Head || got.Digest != want.Digest {
					t.Errorf("recovered %+v\nbefore    %+v", got, want)
				}
				s.MustClose()
				told := fmt.Sprintf("from_snapshot=%v snapshot_seq=%d records_to_apply=%d", withSnapshot, snapped, want.Seq-snapped)
				if !strings.Contains(logs.String(), told) {
					t.Errorf("the log does not say %q:\n%s", told, logs)
				}
			})
		}
	}
}

// fillAround writes records, of which a snapshot has a part, and returns its seq.
func fillAround(t *testing.T, s *storetest.Store, withSnapshot bool) (seq uint64) {
	t.Helper()
	for i := range 60 {
		createTopic(s, fmt.Sprintf("before-%d", i), 1)
	}
	if withSnapshot {
		snap, err := s.CreateSnapshot(t.Context())
		check(t, err)
		seq = snap.Seq
	}
	for i := range 10 {
		createTopic(s, fmt.Sprintf("after-%d", i), 1)
	}
	return seq
}

// A snapshot that is damaged, of another schema or of another log is passed over
// for an older one.
func TestOpenPassesOverSnapshots(t *testing.T) {
	t.Parallel()
	spoil := map[string]func(t *testing.T, s replay.Snapshots, seq uint64){
		"damaged": func(t *testing.T, s replay.Snapshots, seq uint64) {
			overwrite(t, filepath.Join(s.Dir, fmt.Sprintf("%020d.db", seq)), pageSize, []byte("damage"))
		},
		"other schema": func(t *testing.T, s replay.Snapshots, seq uint64) {
			replaceIn(t, manifestPath(s, seq), `"schema_version": 1`, `"schema_version": 2`)
		},
		"other log": func(t *testing.T, s replay.Snapshots, seq uint64) {
			alterHash(t, manifestPath(s, seq))
		},
	}
	for name, spoil := range spoil {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := storetest.Open(t)
			logs := keepLogs(&s.Options)
			older := fillAround(t, s, true)
			newer, err := s.CreateSnapshot(t.Context())
			check(t, err)
			s.MustClose()
			spoil(t, replay.Snapshots{Dir: filepath.Join(s.Options.Path, "snapshots")}, newer.Seq)
			check(t, os.Remove(viewsPath(s)))
			s.Reopen()
			s.MustClose()
			if told := fmt.Sprintf("from_snapshot=true snapshot_seq=%d ", older); !strings.Contains(logs.String(), told) {
				t.Errorf("the log does not say %q:\n%s", told, logs)
			}
		})
	}
}

func manifestPath(s replay.Snapshots, seq uint64) string {
	return filepath.Join(s.Dir, fmt.Sprintf("%020d.json", seq))
}

func replaceIn(t *testing.T, path, old, with string) {
	t.Helper()
	data, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s has no %s", path, old)
	}
	check(t, os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(with), 1), 0o600))
}

// alterHash gives a manifest the hash of another record.
func alterHash(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	check(t, err)
	var snap replay.Snapshot
	check(t, json.Unmarshal(data, &snap))
	replaceIn(t, path, snap.Hash.String(), events.Hash{1}.String())
}

// What is ahead of the log proves that records were lost: nothing is rebuilt.
func TestAheadOfTheLog(t *testing.T) {
	t.Parallel()
	remove := func(t *testing.T, path string) { t.Helper(); check(t, os.RemoveAll(path)) }
	tests := map[string]func(t *testing.T, dir string){
		"checkpoint": func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "snapshots")) },
		"snapshot":   func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "views.db")) },
		"snapshot with no manifest to read": func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, "views.db"))
			manifests, err := filepath.Glob(filepath.Join(dir, "snapshots", "*.json"))
			check(t, err)
			check(t, os.WriteFile(manifests[0], nil, 0o600))
		},
		"damaged views and snapshot": func(t *testing.T, dir string) {
			check(t, os.Truncate(filepath.Join(dir, "views.db"), 5*pageSize))
		},
		"views with a damaged page": func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, "snapshots"))
			path := filepath.Join(dir, "views.db")
			overwrite(t, path, pageOfRows(t, path)*pageSize, make([]byte, pageSize))
		},
	}
	for name, keep := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := storetest.Open(t)
			fillAround(t, s, true)
			_, err := s.CreateSnapshot(t.Context())
			check(t, err)
			s.MustClose()
			dir := t.TempDir()
			check(t, os.CopyFS(dir, os.DirFS(s.Options.Path)))
			shortenLog(t, dir)
			keep(t, dir)
			opts := s.Options
			opts.Path = dir
			for range 2 {
				store, err := metalog.Open(t.Context(), opts)
				if !errors.Is(err, metalog.ErrCorrupt) {
					t.Fatalf("opened: %v", errors.Join(err, closeIf(store)))
				}
			}
		})
	}
}

func closeIf(store *metalog.Store) error {
	if store == nil {
		return nil
	}
	return store.Close()
}

// shortenLog takes the last bytes of the log away, and the note that it was
// closed with them.
func shortenLog(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "log", fmt.Sprintf("%020d", 1))
	info, err := os.Stat(path)
	check(t, err)
	check(t, os.Truncate(path, info.Size()-10))
	check(t, os.Remove(filepath.Join(dir, "log", "CLEAN")))
}

// Snapshots are taken in the background, and thinned.
func TestSnapshotEvery(t *testing.T) {
	t.Parallel()
	taken := make(chan struct{}, 100)
	s := storetest.Open(t, func(o *metalog.Options) {
		o.SnapshotEvery, o.SnapshotBytes = 10, 1
		o.Logger = slog.New(&messages{of: "snapshot", seen: taken})
	})
	for i := range 5 {
		for j := range 10 {
			createTopic(s, fmt.Sprintf("%d-%d", i, j), 1)
		}
		<-taken
	}
	s.MustClose()
	list, err := s.ListSnapshots(t.Context())
	check(t, err)
	if len(list) != 2 || list[1].Seq < 40 || list[1].Seq-list[0].Seq < 9 {
		t.Errorf("snapshots %+v", list)
	}
}

// Few records with many events are enough for a snapshot, too, and what the last one
// had is known after opening again.
func TestSnapshotEvents(t *testing.T) {
	t.Parallel()
	taken := make(chan struct{}, 100)
	s := storetest.Open(t, func(o *metalog.Options) {
		o.SnapshotEvery, o.SnapshotEvents = 1_000_000, 100
		o.Logger = slog.New(&messages{of: "snapshot", seen: taken})
	})
	createTopic(s, "t", 50)
	s.Must(metalog.CreateGroup{ID: "g"})
	commits := metalog.CommitOffsets{Group: "g"}
	for p := range int32(50) {
		commits.Offsets = append(commits.Offsets, metalog.OffsetCommit{Topic: "t", Partition: p, Offset: 1})
	}
	for range 2 {
		s.Must(commits)
		s.Must(commits)
		<-taken
	}
	list, err := s.ListSnapshots(t.Context())
	check(t, err)
	if len(list) != 2 || list[0].Events != 103 || list[1].Events != 203 {
		t.Errorf("snapshots %+v", list)
	}
	s.Reopen()
	s.Must(commits)
	s.MustClose()
	if list, err = s.ListSnapshots(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("after 50 more events: %+v, %v", list, err)
	}
}

// messages tells of each record with one message.
type messages struct {
	of   string
	seen chan<- struct{}
}

func (m *messages) Enabled(context.Context, slog.Level) bool { return true }
func (m *messages) WithAttrs([]slog.Attr) slog.Handler       { return m }
func (m *messages) WithGroup(string) slog.Handler            { return m }
func (m *messages) Handle(_ context.Context, r slog.Record) error {
	if r.Message == m.of {
		m.seen <- struct{}{}
	}
	return nil
}

func TestSnapshotNever(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, func(o *metalog.Options) { o.SnapshotEvery = -1 })
	fillAround(t, s, false)
	s.MustClose()
	if _, err := os.Stat(filepath.Join(s.Options.Path, "snapshots")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there are snapshots: %v", err)
	}
}
