package metalog_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
)

// TestExecuteAll: commands that came together are decided in their order, one that is
// refused does not stop the others, and they share groups, which stay as small as others.
func TestExecuteAll(t *testing.T) {
	t.Parallel()
	const most = 4096 // requests of a group
	s := storetest.Open(t)
	before := s.Seq()
	orders := make([]metalog.Order, most+1000)
	for i := range orders {
		orders[i].Command = metalog.CreateGroup{ID: fmt.Sprint("g", i)}
	}
	orders[1].Command = metalog.CreateGroup{}         // not valid
	orders[3].Command = metalog.CreateGroup{ID: "g2"} // is there by then
	for i, o := range s.ExecuteAll(t.Context(), orders) {
		want := map[int]error{1: metalog.ErrInvalid, 3: metalog.ErrAlreadyExists}[i]
		if !errors.Is(o.Err, want) {
			t.Fatalf("command %d: %v, want %v", i, o.Err, want)
		}
	}
	groups := map[uint64]int{}
	largest := 0
	for frame, err := range s.Log().Frames(t.Context(), before+1) {
		if err != nil {
			t.Fatal(err)
		}
		groups[frame.Group]++
	}
	for _, size := range groups {
		largest = max(largest, size)
	}
	if len(groups) > 3 || largest > most {
		t.Errorf("%d commands are in groups of %v", len(orders), groups)
	}
	if outcomes := s.ExecuteAll(t.Context(), nil); len(outcomes) != 0 {
		t.Errorf("no commands: %v", outcomes)
	}
}
