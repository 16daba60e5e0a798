package metalog_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// tooMany is more than a record holds.
const tooMany = 4500

// largeCascade is a command whose cascade takes several records.
type largeCascade struct {
	prepare func(s *storetest.Store)
	cmd     metalog.Command
	// gone checks that what the command is about can't be reached, as soon as it
	// is done.
	gone func(t *testing.T, s metalog.Reader)
	last string            // type of the last event
	left map[string]uint64 // entities at the end
}

var largeCascades = map[string]largeCascade{
	"topic delete": {
		prepare: func(s *storetest.Store) {
			createTopic(s, "large", 1)
			addSegments(s, "large")
		},
		cmd: metalog.DeleteTopic{Name: "large"},
		gone: func(t *testing.T, s metalog.Reader) {
			if _, err := metalog.Collect(s.ListSegments(t.Context(), "large", 0)); !errors.Is(err, metalog.ErrNotFound) {
				t.Errorf("segments: %v", err)
			}
		},
		last: "TopicPurged",
		left: map[string]uint64{"topics": 0, "segments": 0, "cascades": 0},
	},
	"group delete": {
		prepare: func(s *storetest.Store) {
			createTopic(s, "large", tooMany)
			s.Must(metalog.CreateGroup{ID: "large"})
			for p := int32(0); p < tooMany; p += 1500 {
				c := metalog.CommitOffsets{Group: "large"}
				for i := range int32(1500) {
					c.Offsets = append(c.Offsets, metalog.OffsetCommit{Topic: "large", Partition: p + i, Offset: 1})
				}
				s.Must(c)
			}
		},
		cmd: metalog.DeleteGroup{ID: "large"},
		gone: func(t *testing.T, s metalog.Reader) {
			if list, err := metalog.Collect(s.ListTopicOffsets(t.Context(), "large")); err != nil || len(list) != 0 {
				t.Errorf("%d offsets, %v", len(list), err)
			}
		},
		last: "CascadeCompleted",
		left: map[string]uint64{"groups": 0, "offsets": 0, "topics": 1, "cascades": 0},
	},
	"log start": {
		prepare: func(s *storetest.Store) {
			createTopic(s, "large", 1)
			addSegments(s, "large")
			s.Must(metalog.AdvanceWatermarks{Topic: "large", High: new(int64(tooMany))})
		},
		cmd: metalog.AdvanceWatermarks{Topic: "large", LogStart: new(int64(tooMany))},
		gone: func(t *testing.T, s metalog.Reader) {
			if list, err := metalog.Collect(s.ListSegments(t.Context(), "large", 0)); err != nil || len(list) != 0 {
				t.Errorf("%d segments, %v", len(list), err)
			}
		},
		last: "CascadeCompleted",
		left: map[string]uint64{"segments": 0, "topics": 1, "cascades": 0},
	},
	"broker offline": {
		prepare: func(s *storetest.Store) { assignMany(s, 1, 2) },
		cmd:     metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline},
		gone: func(t *testing.T, s metalog.Reader) {
			checkNotLed(t, s, 1)
		},
		last: "CascadeCompleted",
		left: map[string]uint64{"assignments": tooMany, "cascades": 0},
	},
	"broker online": {
		prepare: func(s *storetest.Store) {
			registerBrokers(s, 1)
			s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline})
			assignMany(s, 1)
		},
		cmd:  metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOnline},
		gone: func(*testing.T, metalog.Reader) {},
		last: "CascadeCompleted",
		left: map[string]uint64{"assignments": tooMany, "cascades": 0},
	},
	"broker remove": {
		prepare: func(s *storetest.Store) { assignMany(s, 1) },
		cmd:     metalog.RemoveBroker{ID: 1, Force: true},
		gone: func(t *testing.T, s metalog.Reader) {
			checkNotLed(t, s, 1)
		},
		last: "CascadeCompleted",
		left: map[string]uint64{"assignments": 0, "brokers": 0, "cascades": 0},
	},
}

func addSegments(s *storetest.Store, topic string) {
	const batch = 1500
	s.Must(segment(topic, 0, "seed", 0, 0))
	for first := 0; first < tooMany; first += batch {
		c := metalog.CompactSegments{Topic: topic, Removed: []string{"seed"}}
		for i := first; i < first+batch; i++ {
			c.Added = append(c.Added, metalog.SegmentInfo{ID: fmt.Sprintf("s%d", i), StartOffset: int64(i), EndOffset: int64(i)})
		}
		if last := first+batch >= tooMany; !last {
			c.Added = append(c.Added, metalog.SegmentInfo{ID: "seed"})
		}
		s.Must(c)
	}
}

// assignMany registers brokers, unless they are, and has them hold all partitions
// of a topic.
func assignMany(s *storetest.Store, replicas ...int32) {
	if len(replicas) > 1 || s.MustInfo().Entities["brokers"] == 0 {
		registerBrokers(s, replicas...)
	}
	createTopic(s, "large", 1)
	s.Must(metalog.AssignPartition{Topic: "large", Replicas: replicas})
	for total := 1; total < tooMany; {
		added := min(1500, tooMany-total)
		total += added
		c := metalog.AddPartitions{Name: "large", Total: int32(total)}
		for range added {
			c.Assignments = append(c.Assignments, metalog.TopicAssignment{Replicas: replicas})
		}
		s.Must(c)
	}
}

// checkNotLed checks that no partition is led by a broker, wherever its cascade
// has come to.
func checkNotLed(t *testing.T, s metalog.Reader, broker int32) {
	t.Helper()
	list, err := metalog.Collect(s.ListPartitions(t.Context(), "large"))
	if err != nil {
		t.Error(err)
	}
	for _, p := range list {
		if p.Leader == broker {
			t.Errorf("partition %d is led by broker %d", p.Partition, broker)
			return
		}
	}
}

// A cascade that is too large for a record goes on in further ones, with other
// writers in between: what it is about can't be reached from the first record on,
// each event comes once and with the same cause, the last one says that it is
// complete, and all is as the plan said.
func TestLargeCascades(t *testing.T) {
	t.Parallel()
	for name, test := range largeCascades {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := storetest.Open(t)
			test.prepare(s)
			plan := mustPlan(t, s, test.cmd)
			begun := s.Must(test.cmd)
			if !begun.Continues {
				t.Fatalf("it fits one record: %+v", begun)
			}
			test.gone(t, s)
			s.Must(metalog.StartImport{Source: "another writer"})
			finishCascade(t, s, begun.Seq, test.last)
			checkLargeCascade(t, s, begun, plan, test.left)
		})
	}
}

// The same when the store is closed in the midst of it: opening goes on with it.
func TestLargeCascadesOverReopen(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"topic delete", "broker offline"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test := largeCascades[name]
			f := openFaulty(t)
			test.prepare(f.Store)
			for len(f.decided) > 0 {
				<-f.decided
			}
			plan := mustPlan(t, f.Store, test.cmd)
			f.arm()
			begun, err := f.Submit(t.Context(), test.cmd)
			if err != nil {
				t.Fatal(err)
			}
			<-f.log.entered
			f.log.outcome <- succeeds
			result, err := begun.Wait()
			if err != nil {
				t.Fatal(err)
			}
			<-f.log.entered // its second record, which is lost
			f.log.outcome <- failsNotPersisted
			f.repair()
			test.gone(t, f)
			finishCascade(t, f.Store, result.Seq, test.last)
			checkLargeCascade(t, f.Store, result, plan, test.left)
		})
	}
}

// A topic's namesake, created while the topic is being purged, is not touched.
func TestNamesakeDuringPurge(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	test := largeCascades["topic delete"]
	test.prepare(s)
	begun := s.Must(test.cmd)
	createTopic(s, "large", 1)
	checkEmptyTopic(t, s, "large")
	s.Must(segment("large", 0, "s1", 0, 9))
	finishCascade(t, s, begun.Seq, test.last)
	if list, err := metalog.Collect(s.ListSegments(t.Context(), "large", 0)); err != nil || segmentIDs(list) != "s1" {
		t.Errorf("%v, %v", segmentIDs(list), err)
	}
	if n := s.MustInfo().Entities["segments"]; n != 1 {
		t.Errorf("%d segments are left", n)
	}
}

// While a broker's cascade goes on, no other one of that broker begins.
func TestBrokerCascadesDontOverlap(t *testing.T) {
	t.Parallel()
	f := openFaulty(t)
	test := largeCascades["broker offline"]
	test.prepare(f.Store)
	f.arm()
	begun := f.submit(t, test.cmd)
	<-f.log.entered
	online := f.submit(t, metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOnline})
	remove := f.submit(t, metalog.RemoveBroker{ID: 1, Force: true})
	f.submit(t, metalog.StartImport{Source: "all before is decided"})
	f.log.outcome <- succeeds
	result, err := begun.Wait()
	if err != nil {
		t.Fatal(err)
	}
	go func() { // from here on appends just succeed
		for range f.log.entered {
			f.log.outcome <- succeeds
		}
	}()
	for _, p := range []*metalog.Pending{online, remove} {
		if _, err := p.Wait(); !errors.Is(err, metalog.ErrConflict) {
			t.Errorf("got %v", err)
		}
	}
	finishCascade(t, f.Store, result.Seq, test.last)
	f.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOnline})
	f.MustClose()
	close(f.log.entered)
	f.Options.WrapLog(nil)
	f.Reopen()
}

// finishCascade waits until a cascade's last event is in the log, after seq from
// or with it.
func finishCascade(t *testing.T, s *storetest.Store, from uint64, last string) {
	t.Helper()
	for seq := from; ; seq++ {
		if err := s.Log().Wait(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Record(seq) {
			if e.Type == last {
				v, err := s.View(t.Context(), seq)
				if err != nil {
					t.Fatal(err)
				}
				if err := v.Close(); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
	}
}

// checkLargeCascade compares all events of the cascade that begun began with the
// plan, in order, and what is left with what should be.
func checkLargeCascade(t *testing.T, s *storetest.Store, begun metalog.Result, plan []events.EventView, left map[string]uint64) {
	t.Helper()
	cause := &events.Position{Seq: begun.Seq}
	var emitted []events.EventView
	records := map[uint64]int{}
	for _, e := range s.Select(metalog.EventQuery{From: begun.Seq}) {
		if e.Seq == begun.Seq && e.Index == 0 || reflect.DeepEqual(e.Cause, cause) {
			emitted = append(emitted, e)
			records[e.Seq]++
		}
	}
	comparePlan(t, plan, emitted)
	if len(records) < 2 {
		t.Errorf("it took %d records", len(records))
	}
	if n := records[begun.Seq]; plan[0].Type == "TopicDeleted" && n != 1 {
		t.Errorf("the topic is gone with a record of %d events", n)
	}
	for seq, n := range records {
		if n > events.MaxRecordEvents {
			t.Errorf("record %d has %d events", seq, n)
		}
	}
	info := s.MustInfo()
	for noun, want := range left {
		if got := info.Entities[noun]; got != want {
			t.Errorf("%s: %d left, want %d", noun, got, want)
		}
	}
}
