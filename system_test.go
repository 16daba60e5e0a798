package metalog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
)

func TestInitSystem(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	done := s.Must(metalog.InitSystem{})
	if got := checkCascade(t, s.Record(done.Seq)); !slices.Equal(got, []string{"TopicCreated", "TopicCreated"}) {
		t.Errorf("derived %v", got)
	}
	check := func() {
		t.Helper()
		list, err := metalog.Collect(s.ListTopics(t.Context()))
		if err != nil || len(list) != 2 || list[0].Name != "__consumer_offsets" || list[1].Name != "__transaction_state" {
			t.Fatalf("topics %+v, %v", list, err)
		}
		for _, topic := range list {
			if topic.Partitions != 50 || topic.ReplicationFactor != 3 || !topic.Internal || topic.Config["cleanup.policy"] != "compact" {
				t.Errorf("%+v", topic)
			}
		}
	}
	check()
	s.Unchanged(metalog.InitSystem{})
	s.Reopen()
	s.Unchanged(metalog.InitSystem{})
	check()
}

func TestImportMarks(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	s.Must(metalog.StartImport{Source: "postgres"})
	done := s.Must(metalog.CompleteImport{Source: "postgres", Imported: map[string]uint64{"topics": 3}})
	if got := s.Record(done.Seq); len(got) != 1 || got[0].Type != "ImportCompleted" || got[0].Entity.String() != "cluster" {
		t.Errorf("%+v", got)
	}
	checkRejections(t, s, map[string]rejection{
		"start without source":    {cmd: metalog.StartImport{}, want: metalog.ErrInvalid},
		"complete without source": {cmd: metalog.CompleteImport{}, want: metalog.ErrInvalid},
		"long source":             {cmd: metalog.StartImport{Source: strings.Repeat("x", 5000)}, want: metalog.ErrInvalid},
		"revision":                {cmd: metalog.StartImport{Source: "x"}, want: metalog.ErrInvalid, opts: []metalog.CommandOption{metalog.IfRevision(1)}},
	})
}

func TestInfoCountsEntities(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	empty := s.MustInfo()
	if empty.Seq != 1 || empty.FirstSeq != 1 || empty.Epoch != 1 || empty.Head != s.Log().Head() || !empty.Writable {
		t.Errorf("a new store: %+v", empty)
	}
	createTopic(s, "orders", 2)
	s.Must(segment("orders", 0, "a", 0, 9))
	s.Must(metalog.CreateGroup{ID: "g"})
	s.Must(commit("g", "orders", 1, 5))
	registerBrokers(s, 1)
	info := s.MustInfo()
	for noun, want := range map[string]uint64{"topics": 1, "segments": 1, "groups": 1, "offsets": 1, "brokers": 1, "cascades": 0} {
		if got := info.Entities[noun]; got != want {
			t.Errorf("%s: %d, want %d", noun, got, want)
		}
	}
	if info.Records != 6 || info.Events != 6 || info.LogBytes == 0 || info.ViewsBytes == 0 || info.LogID != empty.LogID {
		t.Errorf("%+v", info)
	}
}
