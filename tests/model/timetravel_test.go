package model

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// TestTimeTravel keeps what the model says at random seqs of a long history, and
// compares each with the state that the store makes of that seq later, by reading it
// as of then and by rebuilding it: with snapshots and without, before and after its
// log was archived.
func TestTimeTravel(t *testing.T) {
	records, kept := 400, 15
	if os.Getenv("METALOG_LONG") != "" {
		records, kept = 20_500, 200
	}
	once(t, func(rt *rapid.T) {
		tb := newScope(t, rt)
		defer tb.finish()
		r := &run{T: rt, tb: tb, model: newModel(), answers: map[uint64]string{}}
		r.Store = storetest.Open(tb, func(o *metalog.Options) {
			o.SegmentSize, o.SnapshotEvery = 16<<10, int64(records/10)
		})
		r.note()
		r.populate()
		states := r.longHistory(records, kept)
		t.Logf("%d commands, %d records, %d states", r.commands, r.Seq(), len(states))
		r.travel("with snapshots", states)
		r.withoutSnapshots()
		r.travel("without snapshots", states)
		r.archiveAll()
		r.travel("archived, without snapshots", states)
		_, err := r.CreateSnapshot(tb.Context())
		tb.ok(err)
		r.travel("archived, with a snapshot", states)
	})
}

// once runs one random test, which is too long to be made smaller when it fails.
func once(t *testing.T, test func(*rapid.T)) {
	t.Helper()
	for name, value := range map[string]string{"rapid.checks": "1", "rapid.shrinktime": "0s"} {
		before := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := flag.Set(name, before); err != nil {
				t.Error(err)
			}
		}()
	}
	rapid.Check(t, test)
}

// longHistory gives commands until at least so many were done, and returns what the
// model says at some of the seqs that they come to.
func (r *run) longHistory(records, kept int) map[uint64]string {
	states := map[uint64]string{}
	steps := r.commandSteps()
	names := slices.Sorted(maps.Keys(steps))
	for seq := 0; seq < records || len(states) < kept; seq = int(r.Seq()) {
		steps[one(r, "step", names)]()
		// Each part of the history has its share, at random places in it.
		if len(states)*records < kept*seq && r.oneIn(8, "keep") {
			states[r.Seq()] = r.state(modelReader{m: r.model})
		}
	}
	return states
}

// travel compares the states that are kept with those that the store makes.
func (r *run) travel(how string, states map[uint64]string) {
	ctx := r.tb.Context()
	for _, seq := range slices.Sorted(maps.Keys(states)) {
		at := metalog.Point{Seq: seq}
		view, err := r.At(ctx, at)
		r.tb.ok(err)
		r.sameState(how+", as of", seq, r.state(view), states[seq])
		info, err := view.Info(ctx)
		r.tb.ok(errors.Join(err, view.Close()))

		out := filepath.Join(r.tb.TempDir(), "views.db")
		report, err := r.Store.Rebuild(ctx, metalog.RebuildOrder{To: at, Out: out})
		r.tb.ok(err)
		r.check(nil, []any{report.Seq, report.Hash, report.Digest}, []any{seq, info.Head.Hash, info.Digest})
		db, err := views.Open(views.Options{Path: out})
		r.tb.ok(err)
		r.sameState(how+", rebuilt", seq, r.state(metalog.ReadViews(db, metalog.ViewsOptions{})), states[seq])
		r.tb.ok(errors.Join(db.Close(), os.Remove(out)))
	}
}

func (r *run) sameState(how string, seq uint64, got, want string) {
	if got != want {
		r.Fatalf("%s, seq %d:\n%s\nthe model had\n%s", how, seq, got, want)
	}
}

// withoutSnapshots takes all from the store that it could begin with but its log.
func (r *run) withoutSnapshots() {
	r.Options.SnapshotEvery = -1
	r.MustClose()
	for _, dir := range []string{replay.SnapshotsDir, replay.AsOfDir} {
		r.tb.ok(os.RemoveAll(filepath.Join(r.Options.Path, dir)))
	}
	r.Reopen()
}

// archiveAll moves all of the log but its end to an archive, and takes the snapshot
// that this needs, and what was made of the log before.
func (r *run) archiveAll() {
	_, err := r.CreateSnapshot(r.tb.Context())
	r.tb.ok(err)
	report, err := r.Archive(r.tb.Context(), metalog.ArchiveOptions{To: filepath.Join(r.tb.TempDir(), "archive"), ArchivePolicy: metalog.ArchivePolicy{KeepRecords: 1}})
	r.tb.ok(err)
	if len(report.Segments) < 2 || report.FirstSeq < r.Seq()/2 {
		r.Fatalf("%d segments were archived, the log begins with %d and ends with %d: %s", len(report.Segments), report.FirstSeq, r.Seq(), report.Kept)
	}
	r.withoutSnapshots()
}

// state is all that a reader lists, as JSON.
func (r *run) state(of metalog.Reader) string {
	ctx := r.tb.Context()
	all := map[string]any{}
	add := func(name string) func(list any, err error) {
		return func(list any, err error) { r.tb.ok(err); all[name] = list }
	}
	add("brokers")(first(metalog.Collect(of.ListBrokers(ctx))))
	add("transactions")(first(metalog.Collect(of.ListTransactions(ctx))))
	topics, err := metalog.Collect(of.ListTopics(ctx))
	add("topics")(topics, err)
	for _, t := range topics {
		add("partitions " + t.Name)(first(metalog.Collect(of.ListPartitions(ctx, t.Name))))
		segments, err := metalog.Collect(of.ListSegments(ctx, t.Name, metalog.AllPartitions))
		slices.SortFunc(segments, func(a, b events.Segment) int { return cmp.Compare(a.ID, b.ID) })
		add("segments "+t.Name)(segments, err)
	}
	groups, err := metalog.Collect(of.ListGroups(ctx))
	add("groups")(groups, err)
	for _, g := range groups {
		add("offsets " + g.ID)(first(metalog.Collect(of.ListOffsets(ctx, g.ID))))
	}
	configs, err := metalog.Collect(of.ListConfigs(ctx))
	slices.SortFunc(configs, func(a, b events.ConfigEntry) int { return cmp.Compare(a.Scope.String(), b.Scope.String()) })
	add("configs")(configs, err)
	encoded, err := json.Marshal(all)
	r.tb.ok(err)
	return string(encoded)
}

// modelReader lists what the model has.
type modelReader struct {
	metalog.Reader // the rest of it is not asked for
	m              *model
}

func values[T any](of []*T) []T {
	list := make([]T, len(of))
	for i := range of {
		list[i] = *of[i]
	}
	return list
}

// listOf makes a list of what is there already.
func listOf[T any](rows []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func (r modelReader) ListBrokers(context.Context) iter.Seq2[events.Broker, error] {
	brokers := slices.SortedFunc(maps.Values(r.m.brokers), func(a, b *events.Broker) int { return cmp.Compare(a.ID, b.ID) })
	return listOf(values(brokers))
}

func (r modelReader) ListTopics(context.Context) iter.Seq2[events.Topic, error] {
	list := []events.Topic{}
	for _, t := range sorted(r.m.topics) {
		row := t.Topic
		row.Config = r.m.configs[topicScope(t.Name)].Config
		list = append(list, row)
	}
	return listOf(list)
}

func (r modelReader) ListPartitions(_ context.Context, topic string) iter.Seq2[events.Partition, error] {
	list := []events.Partition{}
	for _, p := range r.m.topics[topic].partitions {
		row := p.Partition
		row.Leader, row.Revision = r.m.leader(p), p.revision()
		list = append(list, row)
	}
	return listOf(list)
}

func (r modelReader) ListSegments(_ context.Context, topic string, _ int32) iter.Seq2[events.Segment, error] {
	return listOf(values(sorted(r.m.topics[topic].segments)))
}

func (r modelReader) ListGroups(context.Context) iter.Seq2[events.Group, error] {
	list := []events.Group{}
	for _, g := range sorted(r.m.groups) {
		list = append(list, g.Group)
	}
	return listOf(list)
}

func (r modelReader) ListOffsets(_ context.Context, group string) iter.Seq2[events.Offset, error] {
	list := []events.Offset{}
	offsets := r.m.groups[group].offsets
	for _, at := range slices.SortedFunc(maps.Keys(offsets), comparePositions) {
		list = append(list, *offsets[at])
	}
	return listOf(list)
}

func (r modelReader) ListConfigs(context.Context) iter.Seq2[events.ConfigEntry, error] {
	return listOf(append([]events.ConfigEntry{}, slices.Collect(maps.Values(r.m.configs))...))
}

func (r modelReader) ListTransactions(context.Context) iter.Seq2[events.Transaction, error] {
	list := []events.Transaction{}
	for _, t := range sorted(r.m.txns) {
		list = append(list, t.view())
	}
	return listOf(list)
}
