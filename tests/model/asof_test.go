package model

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/metalog/metalog"
)

// asOfStep reads the store as it was at a few seqs, and compares what it says with
// what it said then: of itself, and where that was kept, in answer to all reads.
// What is read now is kept for later steps.
func (r *run) asOfStep() {
	for range 3 {
		r.readAt(one(r, "at", r.notes))
	}
	info := r.MustInfo()
	r.answers[info.Seq] = r.answersOf(r.Store)
	for _, seq := range sample(r, "answers", sortedKeys(r.answers), 3) {
		view, err := r.At(r.tb.Context(), metalog.Point{Seq: seq})
		r.tb.ok(err)
		if got := r.answersOf(view); got != r.answers[seq] {
			r.Fatalf("at seq %d the answers are\n%s\nand they were\n%s", seq, got, r.answers[seq])
		}
		r.tb.ok(view.Close())
	}
}

func (r *run) readAt(want metalog.Info) {
	at := metalog.Point{Seq: want.Seq}
	if r.chance("by time") {
		at = metalog.Point{Time: want.Time} // the clock moves with each record
	}
	view, err := r.At(r.tb.Context(), at)
	r.tb.ok(err)
	got, err := view.Info(r.tb.Context())
	r.tb.ok(errors.Join(err, view.Close()))
	r.check(nil, []any{view.Seq(), got.Head, got.Digest, got.Time, got.Events, got.Entities},
		[]any{want.Seq, want.Head, want.Digest, want.Time, want.Events, want.Entities})
}

// damageStep damages a file of an earlier state while the store is closed: reads must
// not show that.
func (r *run) damageStep() {
	r.MustClose()
	files, err := filepath.Glob(filepath.Join(r.Options.Path, "asof", "*"))
	r.tb.ok(err)
	if len(files) > 0 {
		r.damage(one(r, "file", files))
	}
	r.Reopen()
	r.asOfStep()
}

func (r *run) damage(path string) {
	data, err := os.ReadFile(path)
	r.tb.ok(err)
	at := int(r.number("byte", 1023)) * (len(data) / 1024)
	if r.chance("cut") {
		data = data[:at]
	} else if at < len(data) {
		data[at] ^= 1 << r.number("bit", 7)
	}
	r.tb.ok(os.WriteFile(path, data, 0o600))
}

// answersOf returns what a state answers to all reads, but for info.
func (r *run) answersOf(state metalog.Reader) string {
	ctx := r.tb.Context()
	var all []any
	add := func(answer any, err error) { r.tb.ok(err); all = append(all, answer) }
	topics, err := metalog.Collect(state.ListTopics(ctx))
	add(topics, err)
	for _, topic := range topics {
		add(first(metalog.Collect(state.ListPartitions(ctx, topic.Name))))
		segments, err := metalog.Collect(state.ListSegments(ctx, topic.Name, metalog.AllPartitions))
		add(segments, err)
		for _, segment := range segments {
			found, err := state.FindSegment(ctx, topic.Name, segment.Partition, segment.StartOffset)
			all = append(all, found, text(err)) // it may be of another kind, or below the log start
		}
		add(first(metalog.Collect(state.ListTopicOffsets(ctx, topic.Name))))
	}
	add(first(metalog.Collect(state.ListBrokers(ctx))))
	groups, err := metalog.Collect(state.ListGroups(ctx))
	add(groups, err)
	for _, group := range groups {
		add(first(metalog.Collect(state.ListOffsets(ctx, group.ID))))
	}
	add(first(metalog.Collect(state.ListConfigs(ctx))))
	add(first(metalog.Collect(state.ListTransactions(ctx))))
	answers, err := json.Marshal(all)
	r.tb.ok(err)
	return string(answers)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// first makes an answer of any type fit for a list.
func first[T any](answer T, err error) (any, error) { return answer, err }

// sample draws up to n elements of a list.
func sample[T any](r *run, what string, of []T, n int) []T {
	var drawn []T
	for range min(n, len(of)) {
		drawn = append(drawn, one(r, what, of))
	}
	return drawn
}
