package metalog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
)

// TestFlushByAge: rows wait for a whole interval after others were flushed for their size.
func TestFlushByAge(t *testing.T) {
	t.Parallel()
	const interval = 300 * time.Millisecond
	s := storetest.Open(t, func(o *metalog.Options) { o.MaxPendingBytes, o.FlushInterval = 64<<10, interval })
	s.Must(metalog.CreateTopic{Name: "t", Partitions: 32, ReplicationFactor: 1})
	s.Must(metalog.CreateGroup{ID: "g"})
	large := metalog.CommitOffsets{Group: "g"}
	for p := range int32(32) {
		large.Offsets = append(large.Offsets, metalog.OffsetCommit{Topic: "t", Partition: p, Metadata: strings.Repeat("m", 4000)})
	}
	time.Sleep(interval * 2 / 3)

	began := time.Now()
	s.Must(large)
	small := s.Must(metalog.CreateGroup{ID: "h"})
	for {
		info, err := s.Info(t.Context())
		check(t, err)
		if info.Checkpoint >= small.Seq {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if took := time.Since(began); took < interval {
		t.Errorf("flushed after %s", took)
	}
}
