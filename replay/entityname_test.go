package replay_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
)

// TestNamesOfEntities: history, blame and diff take and refuse the same names, but
// for configs, and say what they take.
func TestNamesOfEntities(t *testing.T) {
	s := openSmall(t)
	s.Must(metalog.CreateGroup{ID: "g"})
	h := openHistorian(t, s.Log(), filepath.Join(t.TempDir(), "history.db"))
	const both, historyOnly, neither = "both", "history", "neither"
	for entity, want := range map[string]string{
		"topic/orders": both, "topic/orders/partition/0": both, "topic/orders/partition/999999999": both,
		"topic/orders/segment/a": both, "topic/orders/segment/a/b\nc": both,
		"group/a": both, "group/a/b\nc": both, "group/a/offset/orders/0": both,
		"broker/1": both, "producer/1": both, "transaction/t/1": both, "cluster": both,
		"config/cluster": historyOnly, "config/topic/orders": historyOnly, "config/group/a/b": historyOnly, "config/broker/1": historyOnly,

		"": neither, "topics": neither, "topic/": neither, "topic//partition/1": neither, "topic/orders/": neither,
		"topic/orders/partition": neither, "topic/orders/partition/": neither, "topic/orders/partition/x": neither,
		"topic/orders/partition/+1": neither, "topic/orders/partition/-1": neither, "topic/orders/partition/1/2": neither,
		"topic/orders/partition/1000000000": neither, "topic/orders/segment/": neither, "topic/orders/foo/1": neither,
		"group/": neither, "transaction/": neither, "cluster/": neither, "cluster/x": neither,
		"partition/1": neither, "segment/1": neither, "offset/1": neither, "planet/earth": neither,
		"config/": neither, "config/x": neither, "config/producer/1": neither, "config/topic/orders/partition/1": neither,
	} {
		_, err := collectUntil(h.History(t.Context(), replay.HistoryQuery{Entity: entity}))
		checkRefused(t, "history", entity, err, want == neither, "config/SCOPE")
		_, err = h.Blame(t.Context(), entity, replay.Point{})
		if !strings.HasPrefix(entity, "producer/") {
			checkRefused(t, "blame", entity, err, want == neither, "config/SCOPE")
		}
		err = replay.DiffOptions{Entities: []string{entity}}.Validate()
		checkRefused(t, "diff", entity, err, want != both, "a kind of entity: cluster, broker, topic,")
	}
	for _, entity := range []string{"broker/x", "broker/-1", "producer/"} {
		if err := (replay.DiffOptions{Entities: []string{entity}}).Validate(); !errors.Is(err, events.ErrInvalid) {
			t.Errorf("%s: %v", entity, err)
		}
	}
}

// checkRefused wants an error that lists the forms, also one that not all take.
func checkRefused(t *testing.T, by, entity string, err error, want bool, form string) {
	t.Helper()
	if got := errors.Is(err, events.ErrInvalid); got != want {
		t.Errorf("%s of %q: %v; refused: want %v", by, entity, err, want)
	}
	if want && err != nil && (!strings.Contains(err.Error(), "want topic/NAME, topic/NAME/partition/N, ") || !strings.Contains(err.Error(), form)) {
		t.Errorf("%s of %q: %v", by, entity, err)
	}
}
