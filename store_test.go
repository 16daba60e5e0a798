package metalog_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
)

// The same command id with the same command is done once, over a reopen too; with
// another command it is an error; it is scoped by actor.
func TestCommandID(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	id := metalog.WithCommandID("id")
	first := s.Must(newTopic("orders"), id, metalog.WithActor("a"))
	for range 2 {
		again, err := s.CreateTopic(t.Context(), newTopic("orders"), id, metalog.WithActor("a"))
		if want := first; err != nil || !again.Repeated || again.Seq != want.Seq || again.TopicID != want.TopicID || again.Time != want.Time {
			t.Errorf("again %+v, %v; first %+v", again, err, first)
		}
		s.Refused(metalog.ErrConflict, newTopic("other"), id, metalog.WithActor("a"))
		s.Refused(metalog.ErrConflict, metalog.DeleteTopic{Name: "orders"}, id, metalog.WithActor("a"))
		s.Reopen()
	}
	s.Must(newTopic("of-b"), id, metalog.WithActor("b"))
}

// Rejections and commands without effect are not remembered.
func TestCommandIDOfNothing(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	id := metalog.WithCommandID("id")
	s.Refused(metalog.ErrNotFound, metalog.DeleteTopic{Name: "orders"}, id)
	s.Must(metalog.InitSystem{})
	s.Unchanged(metalog.InitSystem{}, id)
	s.Must(newTopic("orders"), id)
}

func TestCommandWindow(t *testing.T) {
	t.Parallel()
	const window = 3
	s := storetest.Open(t, func(o *metalog.Options) { o.CommandWindow = window })
	id := metalog.WithCommandID("id")
	first := s.Must(metalog.StartImport{Source: "x"}, id)
	for range window - 1 {
		s.Must(metalog.StartImport{Source: "y"})
	}
	s.Options.CommandWindow = 100 // the log has its own
	s.Reopen()
	if again, err := s.StartImport(t.Context(), metalog.StartImport{Source: "x"}, id); err != nil || again.Seq != first.Seq {
		t.Errorf("within the window: %+v, %v", again, err)
	}
	s.Must(metalog.StartImport{Source: "y"})
	s.Must(metalog.StartImport{Source: "x"}, id)
	if n := s.MustInfo().Entities["commands"]; n != 1 {
		t.Errorf("%d command ids are remembered", n)
	}
}

func TestExpectedRevision(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	created := s.Must(newTopic("orders"), metalog.IfRevision(0))
	s.Refused(metalog.ErrConflict, newTopic("orders"), metalog.IfRevision(0))
	s.Refused(metalog.ErrConflict, metalog.DeleteTopic{Name: "orders"}, metalog.IfRevision(created.Seq+1))
	s.Refused(metalog.ErrConflict, metalog.DeleteTopic{Name: "gone"}, metalog.IfRevision(created.Seq))
	s.Refused(metalog.ErrInvalid, metalog.InitSystem{}, metalog.IfRevision(0))
	s.Must(metalog.DeleteTopic{Name: "orders"}, metalog.IfRevision(created.Seq))
}

func TestTimeNeverGoesBack(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	before := s.Must(newTopic("a"))
	s.Clock.Advance(-time.Hour)
	behind := s.Must(newTopic("b"))
	s.Reopen()
	reopened := s.Must(newTopic("c"))
	if behind.Time != before.Time || reopened.Time != before.Time {
		t.Errorf("times %s, %s, %s", before.Time, behind.Time, reopened.Time)
	}
	s.Clock.Advance(2 * time.Hour)
	if later := s.Must(newTopic("d")); later.Time <= before.Time {
		t.Errorf("the clock is ahead again: %s", later.Time)
	}
}

func TestDigestIsRecorded(t *testing.T) {
	t.Parallel()
	for _, every := range []uint64{1, 3} {
		s := storetest.Open(t, func(o *metalog.Options) { o.DigestEvery = every })
		for _, name := range []string{"a", "b", "c", "d"} {
			s.Must(newTopic(name))
		}
		s.Reopen()
		if got := s.Select(metalog.EventQuery{Types: []string{"DigestRecorded"}}); len(got) == 0 {
			t.Errorf("every %d: none", every)
		}
	}
}

func TestMustExist(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := metalog.Open(t.Context(), metalog.Options{Path: dir, MustExist: true}); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was created: %v", err)
	}
	if _, err := metalog.Open(t.Context(), metalog.Options{}); !errors.Is(err, metalog.ErrInvalid) {
		t.Errorf("no path: %v", err)
	}
	s := storetest.Open(t)
	s.Options.MustExist = true
	s.Reopen()
}

func TestOpenTwice(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	if _, err := metalog.Open(t.Context(), s.Options); !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	s.Must(newTopic("orders"))
}

// A checkpoint ahead of the log is lost records: never rebuilt away.
func TestViewsAheadOfLog(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	s.Must(newTopic("orders"))
	s.MustClose()
	logDir := filepath.Join(s.Options.Path, "log")
	moved := filepath.Join(s.Options.Path, "moved")
	if err := os.Rename(logDir, moved); err != nil {
		t.Fatal(err)
	}
	if _, err := metalog.Open(t.Context(), s.Options); !errors.Is(err, metalog.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	if err := os.RemoveAll(logDir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(moved, logDir); err != nil {
		t.Fatal(err)
	}
}

// A views file that is missing is made anew.
func TestViewsAreMadeAnew(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	s.Must(newTopic("orders"))
	want := s.MustInfo()
	s.MustClose()
	if err := os.Remove(filepath.Join(s.Options.Path, "views.db")); err != nil {
		t.Fatal(err)
	}
	s.Reopen()
	if got := s.MustInfo(); got.Digest != want.Digest || got.Head != want.Head {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestViewIsPinned(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	created := s.Must(newTopic("orders"))
	view, err := s.View(t.Context(), created.Seq)
	if err != nil {
		t.Fatal(err)
	}
	s.Must(metalog.DeleteTopic{Name: "orders"})
	if _, err := view.GetTopic(t.Context(), "orders"); err != nil || view.Seq() != created.Seq {
		t.Errorf("seq %d: %v", view.Seq(), err)
	}
	if err := view.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetTopic(t.Context(), "orders"); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("now: %v", err)
	}
}
