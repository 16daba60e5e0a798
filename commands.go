package metalog

import "context"

// Commands gives an [Executor] the methods of [Writer]: [Store] and the client
// embed it, so both have them from here.
type Commands struct{ Executor }

func (c Commands) do(ctx context.Context, cmd Command, opts []CommandOption) (Result, error) {
	return c.Execute(ctx, cmd, NewCommandOptions(opts...))
}

// InitSystem creates the internal topics.
func (c Commands) InitSystem(ctx context.Context, opts ...CommandOption) (Result, error) {
	return c.do(ctx, InitSystem{}, opts)
}

// CreateTopic does the command [CreateTopic].
func (c Commands) CreateTopic(ctx context.Context, cmd CreateTopic, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// UpdateTopic does the command [UpdateTopic].
func (c Commands) UpdateTopic(ctx context.Context, cmd UpdateTopic, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// AddPartitions does the command [AddPartitions].
func (c Commands) AddPartitions(ctx context.Context, cmd AddPartitions, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// DeleteTopic does the command [DeleteTopic].
func (c Commands) DeleteTopic(ctx context.Context, cmd DeleteTopic, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// AddSegment does the command [AddSegment].
func (c Commands) AddSegment(ctx context.Context, cmd AddSegment, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// CompactSegments does the command [CompactSegments].
func (c Commands) CompactSegments(ctx context.Context, cmd CompactSegments, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// DeleteSegment does the command [DeleteSegment].
func (c Commands) DeleteSegment(ctx context.Context, cmd DeleteSegment, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// RegisterBroker does the command [RegisterBroker].
func (c Commands) RegisterBroker(ctx context.Context, cmd RegisterBroker, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// SetBrokerStatus does the command [SetBrokerStatus].
func (c Commands) SetBrokerStatus(ctx context.Context, cmd SetBrokerStatus, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// RemoveBroker does the command [RemoveBroker].
func (c Commands) RemoveBroker(ctx context.Context, cmd RemoveBroker, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// AssignPartition does the command [AssignPartition].
func (c Commands) AssignPartition(ctx context.Context, cmd AssignPartition, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// ReassignPartition does the command [ReassignPartition].
func (c Commands) ReassignPartition(ctx context.Context, cmd ReassignPartition, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// ElectLeader does the command [ElectLeader].
func (c Commands) ElectLeader(ctx context.Context, cmd ElectLeader, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// ChangeISR does the command [ChangeISR].
func (c Commands) ChangeISR(ctx context.Context, cmd ChangeISR, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// AdvanceWatermarks does the command [AdvanceWatermarks].
func (c Commands) AdvanceWatermarks(ctx context.Context, cmd AdvanceWatermarks, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// CreateGroup does the command [CreateGroup].
func (c Commands) CreateGroup(ctx context.Context, cmd CreateGroup, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// UpdateGroup does the command [UpdateGroup].
func (c Commands) UpdateGroup(ctx context.Context, cmd UpdateGroup, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// DeleteGroup does the command [DeleteGroup].
func (c Commands) DeleteGroup(ctx context.Context, cmd DeleteGroup, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// CommitOffsets does the command [CommitOffsets].
func (c Commands) CommitOffsets(ctx context.Context, cmd CommitOffsets, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// ResetOffsets does the command [ResetOffsets].
func (c Commands) ResetOffsets(ctx context.Context, cmd ResetOffsets, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// DeleteOffsets does the command [DeleteOffsets].
func (c Commands) DeleteOffsets(ctx context.Context, cmd DeleteOffsets, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// ExpireOffsets does the command [ExpireOffsets].
func (c Commands) ExpireOffsets(ctx context.Context, cmd ExpireOffsets, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// SetConfig does the command [SetConfig].
func (c Commands) SetConfig(ctx context.Context, cmd SetConfig, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// DeleteConfig does the command [DeleteConfig].
func (c Commands) DeleteConfig(ctx context.Context, cmd DeleteConfig, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// AllocateProducerIDs does the command [AllocateProducerIDs].
func (c Commands) AllocateProducerIDs(ctx context.Context, cmd AllocateProducerIDs, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// BeginTransaction does the command [BeginTransaction].
func (c Commands) BeginTransaction(ctx context.Context, cmd BeginTransaction, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// AddTransactionPartitions does the command [AddTransactionPartitions].
func (c Commands) AddTransactionPartitions(ctx context.Context, cmd AddTransactionPartitions, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// AddTransactionOffsets does the command [AddTransactionOffsets].
func (c Commands) AddTransactionOffsets(ctx context.Context, cmd AddTransactionOffsets, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// CommitTransactionOffsets does the command [CommitTransactionOffsets].
func (c Commands) CommitTransactionOffsets(ctx context.Context, cmd CommitTransactionOffsets, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// PrepareTransaction does the command [PrepareTransaction].
func (c Commands) PrepareTransaction(ctx context.Context, cmd PrepareTransaction, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// CommitTransaction does the command [CommitTransaction].
func (c Commands) CommitTransaction(ctx context.Context, cmd CommitTransaction, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// AbortTransaction does the command [AbortTransaction].
func (c Commands) AbortTransaction(ctx context.Context, cmd AbortTransaction, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// FenceProducer does the command [FenceProducer].
func (c Commands) FenceProducer(ctx context.Context, cmd FenceProducer, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// StartImport does the command [StartImport].
func (c Commands) StartImport(ctx context.Context, cmd StartImport, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}

// CompleteImport does the command [CompleteImport].
func (c Commands) CompleteImport(ctx context.Context, cmd CompleteImport, opts ...CommandOption) (Result, error) {
	return c.do(ctx, cmd, opts)
}
