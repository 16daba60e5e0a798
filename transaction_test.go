package metalog_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// beginTransaction allocates a producer id and begins a transaction with it.
func beginTransaction(s *storetest.Store, id string) metalog.Producer {
	allocated := s.Must(metalog.AllocateProducerIDs{Count: 1})
	p := metalog.Producer{TransactionalID: id, ProducerID: allocated.ProducerIDs.FirstID}
	s.Must(metalog.BeginTransaction{Producer: p})
	return p
}

// openPending opens a store with a transaction that has a pending offset.
func openPending(t *testing.T) (*storetest.Store, metalog.Producer) {
	t.Helper()
	s := openWithGroup(t, 2)
	p := beginTransaction(s, "txn")
	s.Must(metalog.AddTransactionPartitions{Producer: p, Partitions: []metalog.TransactionPartition{{Topic: "orders", Partition: 1}}})
	s.Must(metalog.AddTransactionOffsets{Producer: p, Group: "g"})
	s.Must(metalog.CommitTransactionOffsets{Producer: p, Group: "g", Offsets: []metalog.OffsetCommit{{Topic: "orders", Offset: 42, Metadata: "m"}}})
	return s, p
}

func getTransaction(t *testing.T, s metalog.Reader) events.Transaction {
	t.Helper()
	txn, err := s.GetTransaction(t.Context(), "txn")
	if err != nil {
		t.Fatal(err)
	}
	return txn
}

func TestProducerIDs(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	next := int64(0)
	for _, count := range []int64{0, 1, metalog.MaxProducerIDBlock, 5} {
		got := s.Must(metalog.AllocateProducerIDs{Count: count})
		want := count
		if want == 0 {
			want = 1000
		}
		if got.ProducerIDs.FirstID != next || got.ProducerIDs.Count != want {
			t.Errorf("got %d from %d, want %d from %d", got.ProducerIDs.Count, got.ProducerIDs.FirstID, want, next)
		}
		next += want
		s.Reopen()
	}
	s.Refused(metalog.ErrInvalid, metalog.AllocateProducerIDs{Count: -1})
	s.Refused(metalog.ErrInvalid, metalog.AllocateProducerIDs{Count: metalog.MaxProducerIDBlock + 1})
}

func TestTransactionCommit(t *testing.T) {
	t.Parallel()
	s, p := openPending(t)
	txn := getTransaction(t, s)
	if txn.State != events.TransactionOngoing || txn.TimeoutMs != 60_000 || len(txn.Partitions) != 1 || !slices.Equal(txn.Groups, []string{"g"}) || len(txn.Pending) != 1 {
		t.Errorf("%+v", txn)
	}
	s.Unchanged(metalog.AddTransactionPartitions{Producer: p, Partitions: []metalog.TransactionPartition{{Topic: "orders", Partition: 1}}})
	s.Unchanged(metalog.AddTransactionOffsets{Producer: p, Group: "g"})
	if _, err := s.GetOffset(t.Context(), "g", "orders", 0); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("a pending offset shows: %v", err)
	}
	s.Refused(metalog.ErrConflict, metalog.CommitTransaction{Producer: p})
	s.Must(metalog.PrepareTransaction{Producer: p, Outcome: metalog.OutcomeCommit})
	s.Unchanged(metalog.PrepareTransaction{Producer: p, Outcome: metalog.OutcomeCommit})
	s.Refused(metalog.ErrConflict, metalog.PrepareTransaction{Producer: p, Outcome: metalog.OutcomeAbort})
	s.Refused(metalog.ErrConflict, metalog.AbortTransaction{Producer: p})
	s.Refused(metalog.ErrConflict, metalog.FenceProducer{TransactionalID: "txn"})
	s.Refused(metalog.ErrConflict, metalog.BeginTransaction{Producer: p})

	plan := mustPlan(t, s, metalog.CommitTransaction{Producer: p})
	record := s.Record(s.Must(metalog.CommitTransaction{Producer: p}).Seq)
	comparePlan(t, plan, record)
	if got := checkCascade(t, record); !slices.Equal(got, []string{"OffsetCommitted"}) {
		t.Errorf("derived %v", got)
	}
	if got := getOffset(t, s, 0); got.Offset != 42 || got.Metadata != "m" {
		t.Errorf("%+v", got)
	}
	s.Unchanged(metalog.CommitTransaction{Producer: p})
	if txn = getTransaction(t, s); txn.State != events.TransactionCompleteCommit || len(txn.Partitions)+len(txn.Groups)+len(txn.Pending) != 0 {
		t.Errorf("%+v", txn)
	}
	s.Must(metalog.BeginTransaction{Producer: p}) // the next one
	if txn = getTransaction(t, s); txn.State != events.TransactionOngoing || len(txn.Pending) != 0 {
		t.Errorf("%+v", txn)
	}
}

func TestTransactionAbort(t *testing.T) {
	t.Parallel()
	for _, prepared := range []bool{false, true} {
		t.Run(fmt.Sprintf("prepared %v", prepared), func(t *testing.T) {
			t.Parallel()
			s, p := openPending(t)
			if prepared {
				s.Must(metalog.PrepareTransaction{Producer: p, Outcome: metalog.OutcomeAbort})
				s.Refused(metalog.ErrConflict, metalog.AddTransactionOffsets{Producer: p, Group: "g"})
			}
			plan := mustPlan(t, s, metalog.AbortTransaction{Producer: p})
			record := s.Record(s.Must(metalog.AbortTransaction{Producer: p}).Seq)
			comparePlan(t, plan, record)
			if got := checkCascade(t, record); !slices.Equal(got, []string{"TransactionOffsetDropped"}) {
				t.Errorf("derived %v", got)
			}
			s.Unchanged(metalog.AbortTransaction{Producer: p})
			s.Refused(metalog.ErrConflict, metalog.CommitTransaction{Producer: p})
			if list, err := metalog.Collect(s.ListOffsets(t.Context(), "g")); err != nil || len(list) != 0 {
				t.Errorf("%+v, %v", list, err)
			}
		})
	}
}

func TestTransactionTimeout(t *testing.T) {
	t.Parallel()
	s, p := openPending(t)
	timedOut := metalog.AbortTransaction{Producer: p, TimedOut: true}
	s.Refused(metalog.ErrConflict, timedOut)
	s.Clock.Advance(time.Minute)
	record := s.Record(s.Must(timedOut).Seq)
	if !record[0].Payload.(*events.TransactionAborted).TimedOut {
		t.Errorf("%+v", record[0].Payload)
	}
}

// Fencing raises the epoch: whoever has the old one is refused, and what was
// ongoing is aborted.
func TestProducerFence(t *testing.T) {
	t.Parallel()
	s, p := openPending(t)
	plan := mustPlan(t, s, metalog.FenceProducer{TransactionalID: "txn"})
	fenced := s.Must(metalog.FenceProducer{TransactionalID: "txn"})
	record := s.Record(fenced.Seq)
	comparePlan(t, plan, record)
	if got := types(record); fenced.NewEpoch != 1 || !slices.Equal(got, []string{"ProducerFenced", "TransactionAborted", "TransactionOffsetDropped"}) {
		t.Errorf("%+v, record %v", fenced, got)
	}
	if record[1].Cause.Index != 0 || record[2].Cause.Index != 1 {
		t.Errorf("causes %v, %v", record[1].Cause, record[2].Cause)
	}
	s.Refused(metalog.ErrFenced, metalog.CommitTransaction{Producer: p})
	s.Refused(metalog.ErrFenced, metalog.BeginTransaction{Producer: p})
	p.ProducerEpoch = 1
	s.Must(metalog.BeginTransaction{Producer: p})
	s.Must(metalog.PrepareTransaction{Producer: p, Outcome: metalog.OutcomeAbort})
	s.Must(metalog.FenceProducer{TransactionalID: "txn"})
	last := metalog.Producer{TransactionalID: "last", ProducerID: s.Must(metalog.AllocateProducerIDs{Count: 1}).ProducerIDs.FirstID, ProducerEpoch: 1<<15 - 1}
	s.Must(metalog.BeginTransaction{Producer: last})
	s.Refused(metalog.ErrOutOfRange, metalog.FenceProducer{TransactionalID: "last"})
}

func TestTransactionRevision(t *testing.T) {
	t.Parallel()
	s, p := openPending(t)
	revision := getTransaction(t, s).Revision
	s.Refused(metalog.ErrConflict, metalog.PrepareTransaction{Producer: p, Outcome: metalog.OutcomeAbort}, metalog.IfRevision(revision-1))
	s.Must(metalog.PrepareTransaction{Producer: p, Outcome: metalog.OutcomeAbort}, metalog.IfRevision(revision))
}

// A transaction stays small enough to end in one record.
func TestTransactionLimits(t *testing.T) {
	t.Parallel()
	s := openWithGroup(t, 5000)
	p := beginTransaction(s, "txn")
	s.Must(metalog.AddTransactionOffsets{Producer: p, Group: "g"})
	offsets := func(n int, metadata string) metalog.CommitTransactionOffsets {
		c := metalog.CommitTransactionOffsets{Producer: p, Group: "g"}
		for i := range n {
			c.Offsets = append(c.Offsets, metalog.OffsetCommit{Topic: "orders", Partition: int32(i), Offset: 1, Metadata: metadata})
		}
		return c
	}
	s.Refused(metalog.ErrTooLarge, offsets(4001, ""))
	s.Refused(metalog.ErrTooLarge, offsets(200, strings.Repeat("x", 4000)))
	s.Must(offsets(4000, ""))
	s.Refused(metalog.ErrTooLarge, offsets(1, ""))
	partitions := metalog.AddTransactionPartitions{Producer: p}
	for i := range int32(4001) {
		partitions.Partitions = append(partitions.Partitions, metalog.TransactionPartition{Topic: "orders", Partition: i})
	}
	s.Refused(metalog.ErrTooLarge, partitions)
	s.Must(metalog.PrepareTransaction{Producer: p, Outcome: metalog.OutcomeCommit})
	if got := s.Must(metalog.CommitTransaction{Producer: p}); got.Events != 4001 || got.Continues {
		t.Errorf("%+v", got)
	}
}

func TestTransactionRejections(t *testing.T) {
	t.Parallel()
	s, p := openPending(t)
	s.Must(metalog.CreateGroup{ID: "other"})
	s.Must(metalog.CreateGroup{ID: "busy"})
	s.Must(withMembers("busy", 3, "m"))
	s.Must(metalog.AddTransactionOffsets{Producer: p, Group: "busy"})
	wrong := p
	wrong.ProducerEpoch = 1
	alien := p
	alien.ProducerID = 99
	nobody := metalog.Producer{TransactionalID: "nobody"}
	offsets := func(p metalog.Producer, group string, o ...metalog.OffsetCommit) metalog.Command {
		return metalog.CommitTransactionOffsets{Producer: p, Group: group, Offsets: o}
	}
	one := metalog.OffsetCommit{Topic: "orders", Offset: 1}
	partition := func(topic string, n int32) metalog.Command {
		return metalog.AddTransactionPartitions{Producer: p, Partitions: []metalog.TransactionPartition{{Topic: topic, Partition: n}}}
	}
	checkRejections(t, s, map[string]rejection{
		"begin while open":       {cmd: metalog.BeginTransaction{Producer: p}, want: metalog.ErrConflict},
		"begin no id":            {cmd: metalog.BeginTransaction{}, want: metalog.ErrInvalid},
		"begin long id":          {cmd: metalog.BeginTransaction{Producer: metalog.Producer{TransactionalID: strings.Repeat("x", 1025)}}, want: metalog.ErrInvalid},
		"begin negative id":      {cmd: metalog.BeginTransaction{Producer: metalog.Producer{TransactionalID: "x", ProducerID: -1}}, want: metalog.ErrInvalid},
		"begin negative epoch":   {cmd: metalog.BeginTransaction{Producer: metalog.Producer{TransactionalID: "x", ProducerEpoch: -1}}, want: metalog.ErrInvalid},
		"begin negative timeout": {cmd: metalog.BeginTransaction{Producer: nobody, TimeoutMs: -1}, want: metalog.ErrInvalid},
		"begin other's producer": {cmd: metalog.BeginTransaction{Producer: nobody}, want: metalog.ErrConflict},
		"begin unallocated":      {cmd: metalog.BeginTransaction{Producer: metalog.Producer{TransactionalID: "x", ProducerID: 1}}, want: metalog.ErrOutOfRange},
		"partitions none":        {cmd: metalog.AddTransactionPartitions{Producer: p}, want: metalog.ErrInvalid},
		"partitions fenced":      {cmd: metalog.AddTransactionPartitions{Producer: wrong, Partitions: []metalog.TransactionPartition{{Topic: "orders"}}}, want: metalog.ErrFenced},
		"partitions topic":       {cmd: partition("nothing", 0), want: metalog.ErrNotFound},
		"partitions beyond":      {cmd: partition("orders", 2), want: metalog.ErrOutOfRange},
		"partitions negative":    {cmd: partition("orders", -1), want: metalog.ErrInvalid},
		"offsets group gone":     {cmd: metalog.AddTransactionOffsets{Producer: p, Group: "x"}, want: metalog.ErrNotFound},
		"offsets no group":       {cmd: metalog.AddTransactionOffsets{Producer: p}, want: metalog.ErrInvalid},
		"commit not added":       {cmd: offsets(p, "other", one), want: metalog.ErrConflict},
		"commit unknown group":   {cmd: offsets(p, "x", one), want: metalog.ErrNotFound},
		"commit no offsets":      {cmd: offsets(p, "g"), want: metalog.ErrInvalid},
		"commit as no member":    {cmd: offsets(p, "busy", one), want: metalog.ErrFenced},
		"commit beyond":          {cmd: offsets(p, "g", metalog.OffsetCommit{Topic: "orders", Partition: 2}), want: metalog.ErrOutOfRange},
		"commit other producer":  {cmd: offsets(alien, "g", one), want: metalog.ErrFenced},
		"prepare unknown":        {cmd: metalog.PrepareTransaction{Producer: nobody, Outcome: metalog.OutcomeAbort}, want: metalog.ErrNotFound},
		"prepare how":            {cmd: metalog.PrepareTransaction{Producer: p, Outcome: "maybe"}, want: metalog.ErrInvalid},
		"commit ongoing":         {cmd: metalog.CommitTransaction{Producer: p}, want: metalog.ErrConflict},
		"abort fenced":           {cmd: metalog.AbortTransaction{Producer: wrong}, want: metalog.ErrFenced},
		"fence unknown":          {cmd: metalog.FenceProducer{TransactionalID: "nobody"}, want: metalog.ErrNotFound},
		"fence no id":            {cmd: metalog.FenceProducer{}, want: metalog.ErrInvalid},
	})
}

// A transaction takes pending offsets up to a limit, and whatever its id it can
// then be ended in one record.
func TestTransactionAtItsLimitCanEnd(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{"short id": "t", "longest id": strings.Repeat("t", metalog.MaxTransactionalID)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openWithGroup(t, 4000)
			p := beginTransaction(s, id)
			s.Must(metalog.AddTransactionOffsets{Producer: p, Group: "g"})
			next := int32(0)
			for {
				cmd := metalog.CommitTransactionOffsets{Producer: p, Group: "g"}
				for i := range int32(100) {
					cmd.Offsets = append(cmd.Offsets, metalog.OffsetCommit{Topic: "orders", Partition: (next + i) % 4000, Offset: 1})
				}
				_, err := s.Execute(t.Context(), cmd, metalog.CommandOptions{})
				if errors.Is(err, metalog.ErrTooLarge) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				next += 100
			}
			if got := s.Must(metalog.AbortTransaction{Producer: p}); got.Events != int(next)+1 {
				t.Errorf("aborting took %d events, want %d", got.Events, next+1)
			}
		})
	}
}
