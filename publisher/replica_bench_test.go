package publisher

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// BenchmarkReplicaStart measures how long a new replica takes from nothing to the
// server's head, with a snapshot of a million offsets and 1,000 records after it.
func BenchmarkReplicaStart(b *testing.B) {
	o := newOrigin(b, func(m *metalog.Options) { m.DigestEvery = 10_000 })
	const topics, partitions, groups = 10, 1000, 100
	offsets := make([]metalog.OffsetCommit, 0, partitions)
	for t := range topics {
		o.store.Must(metalog.CreateTopic{Name: fmt.Sprintf("topic-%d", t), Partitions: partitions, ReplicationFactor: 1})
	}
	for g := range groups {
		group := fmt.Sprintf("group-%d", g)
		o.store.Must(metalog.CreateGroup{ID: group})
		for t := range topics {
			offsets = offsets[:0]
			for p := range int32(partitions) {
				offsets = append(offsets, metalog.OffsetCommit{Topic: fmt.Sprintf("topic-%d", t), Partition: p, Offset: int64(g)})
			}
			o.store.Must(metalog.CommitOffsets{Group: group, Offsets: offsets})
		}
	}
	snap := o.offerSnapshot()
	for i := range uint64(1000) {
		value := string(binary.AppendUvarint(nil, i%100))
		o.store.Must(metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindCluster}, Config: events.Config{"key": value + uuid.NewString()}})
	}
	want := o.store.MustInfo()
	js := o.nats.connect()
	b.ResetTimer()
	for b.Loop() {
		r, err := Follow(b.Context(), b.TempDir(), js, followOptions())
		if err == nil {
			err = r.Wait(b.Context(), want.Seq)
		}
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if got := r.Views().Checkpoint(); got.Digest != want.Digest {
			b.Fatalf("digest %s, want %s", got.Digest, want.Digest)
		}
		mustClose(b, r)
		b.StartTimer()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/start")
	b.ReportMetric(float64(want.Entities["offsets"]), "rows")
	b.ReportMetric(float64(snap.SizeBytes)/(1<<20), "MB")
}
