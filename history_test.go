package metalog_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
)

// TestIndexInTheBackground: a new store has the index of its own log, which the next
// opening finds in order; one that was not asked to has none.
func TestIndexInTheBackground(t *testing.T) {
	var log bytes.Buffer
	s := storetest.Open(t, func(o *metalog.Options) {
		o.IndexHistory = true
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	s.Must(metalog.CreateGroup{ID: "g"})
	file := filepath.Join(s.Options.Path, "history.db")
	for {
		if _, err := os.Stat(file); err == nil {
			break
		}
		runtime.Gosched()
	}
	s.Reopen()
	for e, err := range s.History(t.Context(), metalog.HistoryQuery{Entity: "group/g"}) {
		if err != nil || e.Type != "GroupCreated" {
			t.Errorf("%+v, %v", e, err)
		}
	}
	s.MustClose()
	if bytes.Contains(log.Bytes(), []byte("set aside")) {
		t.Errorf("the index was made anew: %s", log.Bytes())
	}
	for _, err := range s.History(t.Context(), metalog.HistoryQuery{Entity: "group/g"}) {
		if !errors.Is(err, metalog.ErrUnavailable) {
			t.Errorf("of a closed store: %v", err)
		}
	}

	plain := storetest.Open(t)
	plain.Must(metalog.CreateGroup{ID: "g"})
	if _, err := os.Stat(filepath.Join(plain.Options.Path, "history.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store that nobody asked has an index: %v", err)
	}
}
