package archive

import (
	"errors"
	"slices"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/metalog/metalog/events"
)

func mustPut(t *testing.T, p Place, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := p.Put(t.Context(), name, writing([]byte("x"))); err != nil {
			t.Fatal(err)
		}
	}
}

// namesIn returns the names of all files of a place, sorted.
func namesIn(t *testing.T, p Place) []string {
	t.Helper()
	items, err := p.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, item := range items {
		names = append(names, item.Name)
	}
	slices.Sort(names)
	return names
}

// A place that holds something else is refused, and left as it is.
func TestCreateElsewhereRemovesNothing(t *testing.T) {
	t.Parallel()
	p := mustOpenPlace(t, t.TempDir())
	mustPut(t, p, "drafts/letter.tmp", "letter.tmp")
	before := namesIn(t, p)
	if _, err := Create(t.Context(), p, 1, Options{LogID: testLogID}); !errors.Is(err, events.ErrConflict) {
		t.Errorf("create: %v, want ErrConflict", err)
	}
	if after := namesIn(t, p); !slices.Equal(after, before) {
		t.Errorf("after the refusal there are %v, and were %v", after, before)
	}
}

// What a making of the archive that was not finished leaves is no hindrance.
func TestCreateAgain(t *testing.T) {
	t.Parallel()
	p := mustOpenPlace(t, t.TempDir())
	mustPut(t, p, "ARCHIVE.json.tmp")
	if _, err := Create(t.Context(), p, 1, Options{LogID: testLogID}); err != nil {
		t.Fatal(err)
	}
	if names := namesIn(t, p); !slices.Equal(names, []string{"ARCHIVE.json"}) {
		t.Errorf("there are %v", names)
	}
}

// An archive sweeps its own files only, whatever else was put beside them.
func TestSweepTouchesOnlyOurs(t *testing.T) {
	t.Parallel()
	p := mustOpenPlace(t, t.TempDir())
	a, err := Create(t.Context(), p, 1, Options{LogID: testLogID})
	if err != nil {
		t.Fatal(err)
	}
	segment := name{1, 9, "0123456789abcdef"}
	others := []string{"ARCHIVE.json", "notes.tmp", "segments/notes.tmp"}
	mustPut(t, p, "ARCHIVE.json.tmp", segment.data()+".tmp", segment.manifest()+".tmp", "bases/1.db.zst.tmp")
	mustPut(t, p, others[1:]...)
	if err := a.Sweep(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if names := namesIn(t, p); !slices.Equal(names, others) {
		t.Errorf("there are %v, want %v", names, others)
	}
}

// In a bucket it is uploads that were not finished.
func TestSweepTouchesOnlyOurUploads(t *testing.T) {
	s3Key(t, "key")
	p := mustOpenPlace(t, startS3(t).Location("some/prefix"))
	b := p.(*bucket)
	core := minio.Core{Client: b.client}
	begin := func(name string) {
		t.Helper()
		if _, err := core.NewMultipartUpload(t.Context(), b.name, b.prefix+name, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	begun := func() (keys []string) {
		for upload := range b.client.ListIncompleteUploads(t.Context(), b.name, b.prefix, true) {
			if upload.Err != nil {
				t.Fatal(upload.Err)
			}
			keys = append(keys, upload.Key)
		}
		return keys
	}
	begin("film.mkv")
	a, err := Create(t.Context(), p, 1, Options{LogID: testLogID})
	if err != nil {
		t.Fatal(err)
	}
	if keys := begun(); len(keys) != 1 {
		t.Errorf("after create: %v", keys)
	}
	begin(name{1, 9, "0123456789abcdef"}.data())
	if err := a.Sweep(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if keys := begun(); !slices.Equal(keys, []string{b.prefix + "film.mkv"}) {
		t.Errorf("after sweep: %v", keys)
	}
}
