package metalog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
)

// TestListsAreOfOneState: a loop sees the state that it began with, whatever it does
// on its way, and lets go of it however it ends.
func TestListsAreOfOneState(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	for i := range 10 {
		createTopic(s, fmt.Sprint("topic", i), 1)
	}
	seen := 0
	for topic, err := range s.ListTopics(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		s.Must(metalog.DeleteTopic{Name: topic.Name})
		createTopic(s, "new"+topic.Name, 1)
	}
	if seen != 10 {
		t.Errorf("%d topics, want the 10 that were there", seen)
	}
	for range s.ListTopics(t.Context()) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen = 0
	var err error
	for _, err = range s.ListTopics(ctx) {
		seen++
		cancel()
	}
	if seen != 2 || !errors.Is(err, metalog.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("given up after the first: %d, the last with %v", seen, err)
	}
	func() {
		defer func() { _ = recover() }()
		for range s.ListTopics(t.Context()) {
			panic("a loop that ends like this")
		}
	}()
	if err := s.Close(); err != nil { // waits for all that is read
		t.Fatal(err)
	}
}
