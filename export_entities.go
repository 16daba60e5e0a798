package metalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/metalog/metalog/events"
)

// exportBatchBytes bounds the keys or offsets that one line of an export has, as
// JSON: far below what a line, a command and a record may have.
const exportBatchBytes = 256 << 10

// config sets a config in as many lines as it takes.
func (e *export) config(scope events.EntityRef, config events.Config) error {
	part, size := events.Config{}, 0
	for _, key := range slices.Sorted(maps.Keys(config)) {
		part[key] = config[key]
		if size += jsonSize(key) + jsonSize(config[key]); size < exportBatchBytes {
			continue
		}
		if err := e.command(SetConfig{Scope: scope, Config: part}, scope.String()); err != nil {
			return err
		}
		part, size = events.Config{}, 0
	}
	if len(part) == 0 {
		return nil
	}
	return e.command(SetConfig{Scope: scope, Config: part}, scope.String())
}

// jsonSize bounds the size of text as JSON.
func jsonSize(s string) int {
	encoded, _ := json.Marshal(s) // text has no errors
	return len(encoded) + len(`,"":`)
}

func (e *export) configOf(scope events.EntityRef) error {
	entry, err := e.view.GetConfig(e.ctx, scope)
	if err != nil {
		return err
	}
	return e.config(scope, entry.Config)
}

// cluster exports the cluster's config, and takes the producer ids that were handed
// out.
func (e *export) cluster() error {
	if err := e.configOf(events.EntityRef{Kind: events.KindCluster}); err != nil {
		return err
	}
	for left := e.info.NextProducerID; left > 0; left -= MaxProducerIDBlock {
		if err := e.command(AllocateProducerIDs{Count: min(left, MaxProducerIDBlock)}, "cluster"); err != nil {
			return err
		}
	}
	return nil
}

// brokers exports the brokers; offline ones are so before there is anything that
// they could lose by it.
func (e *export) brokers() error {
	e.members = map[int32]bool{}
	for b, err := range e.view.ListBrokers(e.ctx) {
		if err != nil {
			return err
		}
		e.members[b.ID] = true
		if err := e.broker(b); err != nil {
			return err
		}
	}
	return nil
}

func (e *export) broker(b events.Broker) error {
	about := b.Entity().String()
	err := e.command(RegisterBroker{
		ID: b.ID, Host: b.Host, Port: b.Port, Rack: b.Rack, Endpoints: b.Endpoints, IncarnationID: b.IncarnationID,
	}, about)
	if err == nil && b.Status == events.BrokerOffline {
		err = e.command(SetBrokerStatus{ID: b.ID, Status: b.Status}, about)
	}
	if err != nil {
		return err
	}
	return e.configOf(b.Entity())
}

// maintenance takes brokers into maintenance, in which they keep what they lead and
// can't be given more.
func (e *export) maintenance() error {
	for b, err := range e.view.ListBrokers(e.ctx) {
		if err != nil {
			return err
		}
		if b.Status == events.BrokerMaintenance {
			if err := e.command(SetBrokerStatus{ID: b.ID, Status: b.Status}, b.Entity().String()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *export) topics() error {
	if err := e.initSystem(); err != nil {
		return err
	}
	for t, err := range e.view.ListTopics(e.ctx) {
		if err != nil {
			return err
		}
		create := e.topic
		if t.Internal {
			create = e.internalTopic
		}
		if err := create(t); err != nil {
			return err
		}
		if err := e.belowTopic(t); err != nil {
			return err
		}
	}
	return nil
}

// initSystem creates the internal topics, if there are any.
func (e *export) initSystem() error {
	for t, err := range e.view.ListTopics(e.ctx) {
		if err != nil {
			return err
		}
		if t.Internal {
			return e.command(InitSystem{}, "cluster")
		}
	}
	return nil
}

func (e *export) topic(t events.Topic) error {
	create := CreateTopic{Name: t.Name, Partitions: t.Partitions, ReplicationFactor: int32(t.ReplicationFactor), Config: t.Config}
	line, err := e.encode(create)
	if err != nil {
		return err
	}
	var later events.Config
	if len(line) > exportBatchBytes {
		create.Config, later = nil, t.Config
	}
	if err := e.command(create, t.Name); err != nil {
		return err
	}
	return e.config(events.EntityRef{Kind: events.KindTopic, ID: t.Name}, later)
}

// internalTopic brings a topic that was created by itself to what it is.
func (e *export) internalTopic(t events.Topic) error {
	if t.Partitions > internalPartitions {
		if err := e.command(AddPartitions{Name: t.Name, Total: t.Partitions}, t.Name); err != nil {
			return err
		}
	}
	factor := int32(t.ReplicationFactor)
	if factor == internalReplicationFactor && maps.Equal(t.Config, internalConfig()) {
		return nil
	}
	err := e.command(UpdateTopic{Name: t.Name, ReplicationFactor: &factor, Config: &events.Config{}}, t.Name)
	if err != nil {
		return err
	}
	return e.config(events.EntityRef{Kind: events.KindTopic, ID: t.Name}, t.Config)
}

// belowTopic exports partitions and segments.
func (e *export) belowTopic(t events.Topic) error {
	for p, err := range e.view.ListPartitions(e.ctx, t.Name) {
		if err == nil {
			err = e.partition(p)
		}
		if err != nil {
			return err
		}
	}
	for s, err := range e.view.ListSegments(e.ctx, t.Name, AllPartitions) {
		if err != nil {
			return err
		}
		err := e.command(AddSegment{Topic: t.Name, Partition: s.Partition, SegmentInfo: SegmentInfo(s.SegmentInfo)}, s.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

// partition exports who holds a partition, and how far it goes. A broker whose
// removal is still under way is none of its replicas any more.
func (e *export) partition(p events.Partition) error {
	about := fmt.Sprintf("topic/%s/partition/%d", p.Topic, p.Partition)
	removed := func(id int32) bool { return !e.members[id] }
	replicas := slices.DeleteFunc(slices.Clone(p.Replicas), removed)
	isr := slices.DeleteFunc(slices.Clone(p.ISR), removed)
	if len(replicas) > 0 {
		err := e.command(AssignPartition{
			Topic: p.Topic, Partition: p.Partition, Replicas: replicas,
			Leader: &p.Leader, ISR: isr, LeaderEpoch: positive(p.LeaderEpoch),
		}, about)
		if err != nil {
			return err
		}
	}
	if p.HighWatermark == 0 && p.LogStartOffset == 0 {
		return nil
	}
	return e.command(AdvanceWatermarks{
		Topic: p.Topic, Partition: p.Partition, High: positive(p.HighWatermark), LogStart: positive(p.LogStartOffset),
	}, about)
}

// positive leaves a zero out.
func positive[T int32 | int64](n T) *T {
	if n == 0 {
		return nil
	}
	return &n
}

// groups exports the groups with their offsets, which a group takes from anybody
// as long as it has no members.
func (e *export) groups() error {
	for g, err := range e.view.ListGroups(e.ctx) {
		if err != nil {
			return err
		}
		if err := e.command(CreateGroup{ID: g.ID, ProtocolType: g.ProtocolType, Protocol: g.Protocol}, g.ID); err != nil {
			return err
		}
		if err := e.configOf(g.Entity()); err != nil {
			return err
		}
		var commits []OffsetCommit
		for o, err := range e.view.ListOffsets(e.ctx, g.ID) {
			if err != nil {
				return err
			}
			commits = append(commits, commitOf(o.OffsetRef, o.OffsetInfo))
		}
		slices.SortFunc(commits, compareCommits)
		for part := range batches(commits, commitSize) {
			if err := e.command(CommitOffsets{Group: g.ID, Offsets: part}, g.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func commitOf(ref events.OffsetRef, info events.OffsetInfo) OffsetCommit {
	commit := OffsetCommit{Topic: ref.Topic, Partition: ref.Partition, Offset: info.Offset, Metadata: info.Metadata}
	if info.LeaderEpoch != -1 {
		commit.LeaderEpoch = &info.LeaderEpoch
	}
	return commit
}

// compareCommits orders by names, so that a state is exported the same way whatever
// the ids in it are.
func compareCommits(a, b OffsetCommit) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

func commitSize(o OffsetCommit) int { return len(o.Topic) + jsonSize(o.Metadata) + 100 } // of the numbers and names

// batches yields a list in parts of about exportBatchBytes.
func batches[T any](list []T, sizeOf func(T) int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		begin, size := 0, 0
		for i := range list {
			if size += sizeOf(list[i]); size < exportBatchBytes && i < len(list)-1 {
				continue
			}
			if !yield(list[begin : i+1]) {
				return
			}
			begin, size = i+1, 0
		}
	}
}

// groupStates exports what the groups' coordinators keep.
func (e *export) groupStates() error {
	for g, err := range e.view.ListGroups(e.ctx) {
		if err != nil {
			return err
		}
		if g.State == events.GroupEmpty && g.Generation == 0 && g.Leader == "" && len(g.Members) == 0 {
			continue
		}
		members := []events.Member(g.Members)
		err := e.command(UpdateGroup{
			ID: g.ID, State: &g.State, Generation: &g.Generation, Leader: &g.Leader, Members: &members,
		}, g.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

// transactions exports, for each transactional id, the transaction that is open, or
// how the last one ended: that is what its producer is fenced by.
func (e *export) transactions() error {
	for t, err := range e.view.ListTransactions(e.ctx) {
		if err == nil {
			err = e.transaction(t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *export) transaction(t events.Transaction) error {
	producer := Producer(t.TransactionRef)
	commands := []Command{BeginTransaction{Producer: producer, TimeoutMs: t.TimeoutMs}}
	partitions := make([]TransactionPartition, len(t.Partitions))
	for i, p := range t.Partitions {
		partitions[i] = TransactionPartition{Topic: p.Topic, Partition: p.Partition}
	}
	slices.SortFunc(partitions, func(a, b TransactionPartition) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for part := range batches(partitions, partitionSize) {
		commands = append(commands, AddTransactionPartitions{Producer: producer, Partitions: part})
	}
	for _, group := range slices.Sorted(slices.Values(t.Groups)) {
		commands = append(commands, AddTransactionOffsets{Producer: producer, Group: group})
		commands = append(commands, pendingCommits(producer, group, t.Pending)...)
	}
	for _, cmd := range append(commands, ending(producer, t.State)...) {
		if err := e.command(cmd, t.TransactionalID); err != nil {
			return err
		}
	}
	return nil
}

func partitionSize(p TransactionPartition) int {
	return len(p.Topic) + len(strconv.Itoa(int(p.Partition))) + len(`{"topic":"","partition":},`)
}

func pendingCommits(producer Producer, group string, pending []events.PendingOffset) []Command {
	var commits []OffsetCommit
	for _, o := range pending {
		if o.Group == group {
			commits = append(commits, commitOf(o.OffsetRef, o.OffsetInfo))
		}
	}
	slices.SortFunc(commits, compareCommits)
	var commands []Command
	for part := range batches(commits, commitSize) {
		commands = append(commands, CommitTransactionOffsets{Producer: producer, Group: group, Offsets: part})
	}
	return commands
}

// ending brings a transaction that is ongoing to a state.
func ending(producer Producer, state events.TransactionState) []Command {
	prepare := PrepareTransaction{Producer: producer, Outcome: OutcomeCommit}
	switch state {
	case events.TransactionPrepareCommit:
		return []Command{prepare}
	case events.TransactionCompleteCommit:
		return []Command{prepare, CommitTransaction{producer}}
	case events.TransactionPrepareAbort:
		prepare.Outcome = OutcomeAbort
		return []Command{prepare}
	case events.TransactionCompleteAbort:
		return []Command{AbortTransaction{Producer: producer}}
	}
	return nil // it is ongoing
}
