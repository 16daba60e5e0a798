package model

import (
	"cmp"
	"maps"
	"slices"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// txn is a transaction, and what hangs on it.
type txn struct {
	events.Transaction
	partitions map[position]bool
	groups     map[*group]bool
	pending    map[pendingPosition]events.OffsetInfo
}

type pendingPosition struct {
	group *group
	position
}

// forget takes a deleted group out of the transaction.
func (t *txn) forget(gone *group) {
	delete(t.groups, gone)
	maps.DeleteFunc(t.pending, func(p pendingPosition, _ events.OffsetInfo) bool { return p.group == gone })
}

func (m *model) changeState(t *txn, state events.TransactionState) {
	t.State, t.UpdatedAt, t.Revision = state, m.at.Time, m.at.Seq
}

// end ends a transaction; a commit makes its pending offsets the groups' own.
func (m *model) end(t *txn, state events.TransactionState) {
	if state == events.TransactionCompleteCommit {
		for p, info := range t.pending {
			m.putOffset(p.group, p.position, info)
		}
	}
	m.changeState(t, state)
	clear(t.partitions)
	clear(t.groups)
	clear(t.pending)
}

func (r *run) transactionStep() {
	id := r.pick("txn", "t", "u")
	t := r.model.txns[id]
	if t == nil || !t.State.Open() && r.chance("begin") {
		r.begin(id, t)
		return
	}
	switch r.pick("how", "partition", "group", "offset", "offset", "offset", "end", "end", "fence") {
	case "partition":
		r.addPartition(t)
	case "group":
		r.addGroup(t)
	case "offset":
		r.commitPending(t)
	case "end":
		r.endStep(t)
	case "fence":
		r.fence(t)
	}
}

func (t *txn) producer() metalog.Producer { return metalog.Producer(t.TransactionRef) }

// ongoing returns the error for a transaction that takes nothing more.
func (t *txn) ongoing() error {
	return firstOf(t.State != events.TransactionOngoing, metalog.ErrConflict)
}

func (r *run) begin(id string, t *txn) {
	if t == nil {
		r.do(metalog.AllocateProducerIDs{Count: 1}, nil)
		t = &txn{partitions: map[position]bool{}, groups: map[*group]bool{}, pending: map[pendingPosition]events.OffsetInfo{}}
		t.TransactionRef = events.TransactionRef{TransactionalID: id, ProducerID: r.model.nextID}
		r.model.nextID++
	}
	if r.doAt(metalog.BeginTransaction{Producer: t.producer(), TimeoutMs: 1000}, nil, t.Revision, nil) {
		t.TimeoutMs, t.StartedAt = 1000, r.model.at.Time
		r.model.changeState(t, events.TransactionOngoing)
		r.model.txns[id] = t
	}
}

func (r *run) addPartition(t *txn) {
	name, p := r.topicName(), r.partitionNumber()
	at := position{r.model.topics[name], p}
	missing := at.topic.has(p)
	cmd := metalog.AddTransactionPartitions{Producer: t.producer(), Partitions: []metalog.TransactionPartition{{Topic: name, Partition: p}}}
	if r.doAt(cmd, nil, t.Revision, firstOf(t.ongoing() != nil, t.ongoing(), missing != nil, missing, t.partitions[at], errUnchanged)) {
		t.partitions[at] = true
		r.model.changeState(t, t.State)
	}
}

func (r *run) addGroup(t *txn) {
	id := r.groupName()
	g := r.model.groups[id]
	cmd := metalog.AddTransactionOffsets{Producer: t.producer(), Group: id}
	if r.doAt(cmd, nil, t.Revision, firstOf(t.ongoing() != nil, t.ongoing(), g == nil, metalog.ErrNotFound, t.groups[g], errUnchanged)) {
		t.groups[g] = true
		r.model.changeState(t, t.State)
	}
}

func (r *run) commitPending(t *txn) {
	name, id := r.topicName(), r.groupName()
	owner, g := r.model.topics[name], r.model.groups[id]
	offsets, unknown := r.commits(owner, name)
	generation, member, barred := r.committer(g)
	cmd := metalog.CommitTransactionOffsets{Producer: t.producer(), Group: id, Offsets: offsets, Generation: generation, MemberID: member}
	want := firstOf(t.ongoing() != nil, t.ongoing(), g == nil, metalog.ErrNotFound, !t.groups[g], metalog.ErrConflict,
		barred != nil, barred, unknown != nil, unknown)
	if !r.doAt(cmd, nil, t.Revision, want) {
		return
	}
	for _, o := range offsets {
		t.pending[pendingPosition{g, position{owner, o.Partition}}] = infoOf(o)
	}
	r.model.changeState(t, t.State)
}

// endStep prepares a transaction or ends it, in any order.
func (r *run) endStep(t *txn) {
	var cmd metalog.Command
	var next events.TransactionState
	from := []events.TransactionState{events.TransactionOngoing}
	switch r.pick("end", "prepare commit", "prepare commit", "prepare abort", "commit", "commit", "abort") {
	case "prepare commit":
		cmd, next = metalog.PrepareTransaction{Producer: t.producer(), Outcome: metalog.OutcomeCommit}, events.TransactionPrepareCommit
	case "prepare abort":
		cmd, next = metalog.PrepareTransaction{Producer: t.producer(), Outcome: metalog.OutcomeAbort}, events.TransactionPrepareAbort
	case "commit":
		cmd, next = metalog.CommitTransaction{Producer: t.producer()}, events.TransactionCompleteCommit
		from = []events.TransactionState{events.TransactionPrepareCommit}
	case "abort":
		cmd, next = metalog.AbortTransaction{Producer: t.producer()}, events.TransactionCompleteAbort
		from = append(from, events.TransactionPrepareAbort)
	}
	if !r.doAt(cmd, nil, t.Revision, firstOf(t.State == next, errUnchanged, !slices.Contains(from, t.State), metalog.ErrConflict)) {
		return
	}
	if next.Open() {
		r.model.changeState(t, next)
	} else {
		r.model.end(t, next)
	}
}

func (r *run) fence(t *txn) {
	before := t.producer()
	cmd := metalog.FenceProducer{TransactionalID: t.TransactionalID}
	if !r.doAt(cmd, nil, t.Revision, firstOf(t.State == events.TransactionPrepareCommit, metalog.ErrConflict)) {
		return
	}
	t.ProducerEpoch++
	if r.model.changeState(t, t.State); t.State.Open() {
		r.model.end(t, events.TransactionCompleteAbort)
	}
	r.do(metalog.AbortTransaction{Producer: before}, metalog.ErrFenced)
}

func (r *run) compareTransactions() {
	ctx := r.tb.Context()
	want := []events.Transaction{}
	for _, t := range sorted(r.model.txns) {
		row := t.view()
		want = append(want, row)
		got, err := r.GetTransaction(ctx, t.TransactionalID)
		r.check(err, got, row)
	}
	got, err := metalog.Collect(r.ListTransactions(ctx))
	r.check(err, got, want)
}

// view is the transaction as reads show it.
func (t *txn) view() events.Transaction {
	row := t.Transaction
	row.Partitions, row.Groups, row.Pending = []events.PartitionRef{}, []string{}, []events.PendingOffset{}
	for _, at := range slices.SortedFunc(maps.Keys(t.partitions), comparePositions) {
		row.Partitions = append(row.Partitions, at.topic.partitions[at.partition].PartitionRef)
	}
	for _, g := range slices.SortedFunc(maps.Keys(t.groups), compareNumbers) {
		row.Groups = append(row.Groups, g.ID)
	}
	byPosition := func(a, b pendingPosition) int {
		return cmp.Or(compareNumbers(a.group, b.group), comparePositions(a.position, b.position))
	}
	for _, p := range slices.SortedFunc(maps.Keys(t.pending), byPosition) {
		row.Pending = append(row.Pending, events.PendingOffset{OffsetRef: p.group.ref(p.position), OffsetInfo: t.pending[p]})
	}
	return row
}
