package metalog_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// namesAt lists the topics of a store at a point.
func namesAt(t *testing.T, s *storetest.Store, at metalog.Point) (names []string, seq uint64) {
	t.Helper()
	view, err := s.At(t.Context(), at)
	check(t, err)
	topics, err := metalog.Collect(view.ListTopics(t.Context()))
	check(t, err)
	for _, topic := range topics {
		names = append(names, topic.Name)
	}
	seq = view.Seq()
	check(t, errors.Join(view.Close(), view.Close()))
	return names, seq
}

func TestAt(t *testing.T) {
	s := storetest.Open(t)
	createTopic(s, "a", 1) // seq 2
	createTopic(s, "b", 1) // seq 3
	between := events.TimeOf(s.Clock.Now())
	s.Must(metalog.DeleteTopic{Name: "a"}) // seq 4
	createTopic(s, "c", 1)                 // seq 5
	for _, c := range []struct {
		at   metalog.Point
		seq  uint64
		want string
	}{
		{metalog.Point{Seq: 1}, 1, ""},
		{metalog.Point{Seq: 2}, 2, "a"},
		{metalog.Point{Seq: 3}, 3, "a b"},
		{metalog.Point{Time: between}, 3, "a b"},
		{metalog.Point{Seq: 4}, 4, "b"},
		{metalog.Point{Seq: 5}, 5, "b c"},
		{metalog.Point{}, 5, "b c"},
	} {
		if names, seq := namesAt(t, s, c.at); strings.Join(names, " ") != c.want || seq != c.seq {
			t.Errorf("at %s: %v at seq %d, want %s at %d", c.at, names, seq, c.want, c.seq)
		}
	}
	for _, at := range []metalog.Point{{Seq: 6}, {Time: events.TimeOf(s.Clock.Now().Add(time.Hour))}, {Time: 1}} {
		if _, err := s.At(t.Context(), at); !errors.Is(err, metalog.ErrOutOfRange) {
			t.Errorf("at %s: %v, want ErrOutOfRange", at, err)
		}
	}
}

// The head is answered by the store itself, not from a copy.
func TestAtHead(t *testing.T) {
	s := storetest.Open(t)
	createTopic(s, "a", 1)
	namesAt(t, s, metalog.Point{Seq: s.Seq()})
	namesAt(t, s, metalog.Point{Time: s.MustInfo().Time})
	if _, err := os.Stat(filepath.Join(s.Options.Path, "asof")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the head was copied: %v", err)
	}
	createTopic(s, "b", 1)
	if names, _ := namesAt(t, s, metalog.Point{Seq: 2}); strings.Join(names, " ") != "a" {
		t.Errorf("at what was the head: %v", names)
	}
}

func TestAtInfo(t *testing.T) {
	s := storetest.Open(t)
	createTopic(s, "a", 1)
	then := s.MustInfo()
	createTopic(s, "b", 1)
	now := s.MustInfo()
	view, err := s.At(t.Context(), metalog.Point{Seq: then.Seq})
	check(t, err)
	defer view.Close()
	got, err := view.Info(t.Context())
	check(t, err)
	if got.Head != then.Head || got.Seq != then.Seq || got.Time != then.Time || got.Digest != then.Digest || got.LogID != then.LogID || got.Epoch != 1 ||
		got.Records != then.Records || got.Events != then.Events || !maps.Equal(got.Entities, then.Entities) {
		t.Errorf("got  %+v\nwant %+v", got, then)
	}
	if got.FirstSeq != now.FirstSeq || got.LogBytes != now.LogBytes || got.Checkpoint != then.Seq || got.ViewsBytes == 0 || got.Writable {
		t.Errorf("of the store: %+v, now %+v", got, now)
	}
}

// A view of an earlier state does not hold up the end of its store, and is there
// for whoever opens it next.
func TestAtClose(t *testing.T) {
	s := storetest.Open(t)
	createTopic(s, "a", 1)
	createTopic(s, "b", 1)
	view, err := s.At(t.Context(), metalog.Point{Seq: 2})
	check(t, err)
	s.MustClose()
	if topics, err := metalog.Collect(view.ListTopics(t.Context())); err != nil || len(topics) != 1 {
		t.Errorf("after Close: %v, %v", topics, err)
	}
	check(t, view.Close())
	if _, err := metalog.Collect(view.ListTopics(t.Context())); !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("a closed view: %v", err)
	}
	if _, err := s.At(t.Context(), metalog.Point{Seq: 2}); !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("a closed store: %v", err)
	}
	s.Reopen()
	kept, err := os.ReadDir(filepath.Join(s.Options.Path, "asof"))
	if err != nil || len(kept) != 2 {
		t.Errorf("%v, %v", kept, err)
	}
	if names, _ := namesAt(t, s, metalog.Point{Seq: 2}); strings.Join(names, " ") != "a" {
		t.Errorf("after opening again: %v", names)
	}
}

// Reads of the head and of what was the head go on while the store does.
func TestAtWhileWriting(t *testing.T) {
	s := storetest.Open(t)
	createTopic(s, "t", 1)
	s.Must(metalog.CreateGroup{ID: "g"})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		defer close(done)
		for offset := int64(0); ctx.Err() == nil; offset++ {
			if _, err := s.CommitOffsets(context.Background(), commit("g", "t", 0, offset)); err != nil {
				done <- err
				return
			}
		}
	}()
	for range 20 {
		seq := s.Seq()
		view, err := s.At(t.Context(), metalog.Point{Seq: seq})
		check(t, err)
		if view.Seq() != seq {
			t.Errorf("at %d: seq %d", seq, view.Seq())
		}
		check(t, view.Close())
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
