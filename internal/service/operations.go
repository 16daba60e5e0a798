package service

import (
	"context"
	"iter"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// operation is one subject and who answers there: from an S.
type operation[S any] struct {
	op     string
	answer func(ctx context.Context, from S, r micro.Request) (answer, error)
}

// Viewer gives views of the present state: a store does, and so do reads over any
// views, see [metalog.ReadViews].
type Viewer interface {
	View(ctx context.Context, minSeq uint64) (metalog.View, error)
}

// timeViewer gives views of earlier states too.
type timeViewer interface {
	Viewer
	At(ctx context.Context, at metalog.Point) (metalog.View, error)
}

// viewReads are the operations that are answered from views alone.
var viewReads = []operation[timeViewer]{
	read(wire.GetTopic, func(ctx context.Context, r metalog.Reader, q wire.Name) (events.Topic, error) {
		return r.GetTopic(ctx, q.Name)
	}),
	list(wire.ListTopics, func(ctx context.Context, r metalog.Reader, _ wire.Nothing) iter.Seq2[events.Topic, error] {
		return r.ListTopics(ctx)
	}),

	read(wire.GetSegment, func(ctx context.Context, r metalog.Reader, q wire.Segment) (events.Segment, error) {
		return r.GetSegment(ctx, q.Topic, q.ID)
	}),
	list(wire.ListSegments, func(ctx context.Context, r metalog.Reader, q wire.Partitions) iter.Seq2[events.Segment, error] {
		return r.ListSegments(ctx, q.Topic, orAll(q.Partition))
	}),
	read(wire.FindSegment, func(ctx context.Context, r metalog.Reader, q wire.Position) (events.Segment, error) {
		return r.FindSegment(ctx, q.Topic, q.Partition.Partition, q.Offset)
	}),

	read(wire.GetBroker, func(ctx context.Context, r metalog.Reader, q wire.BrokerID) (events.Broker, error) {
		return r.GetBroker(ctx, q.ID)
	}),
	list(wire.ListBrokers, func(ctx context.Context, r metalog.Reader, _ wire.Nothing) iter.Seq2[events.Broker, error] {
		return r.ListBrokers(ctx)
	}),

	read(wire.GetPartition, func(ctx context.Context, r metalog.Reader, q wire.Partition) (events.Partition, error) {
		return r.GetPartition(ctx, q.Topic, q.Partition)
	}),
	list(wire.ListPartitions, func(ctx context.Context, r metalog.Reader, q wire.Name) iter.Seq2[events.Partition, error] {
		return r.ListPartitions(ctx, q.Name)
	}),
	read(wire.GetPartitionLeader, func(ctx context.Context, r metalog.Reader, q wire.Partition) (events.Broker, error) {
		return r.GetPartitionLeader(ctx, q.Topic, q.Partition)
	}),
	read(wire.GetPartitionReplicas, func(ctx context.Context, r metalog.Reader, q wire.Partition) (events.BrokerIDs, error) {
		return r.GetPartitionReplicas(ctx, q.Topic, q.Partition)
	}),

	read(wire.GetGroup, func(ctx context.Context, r metalog.Reader, q wire.ID) (events.Group, error) {
		return r.GetGroup(ctx, q.ID)
	}),
	list(wire.ListGroups, func(ctx context.Context, r metalog.Reader, _ wire.Nothing) iter.Seq2[events.Group, error] {
		return r.ListGroups(ctx)
	}),

	read(wire.GetOffset, func(ctx context.Context, r metalog.Reader, q wire.GroupPartition) (events.Offset, error) {
		return r.GetOffset(ctx, q.Group, q.Topic, q.Partition.Partition)
	}),
	list(wire.ListOffsets, func(ctx context.Context, r metalog.Reader, q wire.ID) iter.Seq2[events.Offset, error] {
		return r.ListOffsets(ctx, q.ID)
	}),
	list(wire.ListTopicOffsets, func(ctx context.Context, r metalog.Reader, q wire.Name) iter.Seq2[events.Offset, error] {
		return r.ListTopicOffsets(ctx, q.Name)
	}),

	read(wire.GetConfig, func(ctx context.Context, r metalog.Reader, q wire.Scope) (events.ConfigEntry, error) {
		return r.GetConfig(ctx, q.Scope)
	}),
	list(wire.ListConfigs, func(ctx context.Context, r metalog.Reader, _ wire.Nothing) iter.Seq2[events.ConfigEntry, error] {
		return r.ListConfigs(ctx)
	}),

	read(wire.GetTransaction, func(ctx context.Context, r metalog.Reader, q wire.ID) (events.Transaction, error) {
		return r.GetTransaction(ctx, q.ID)
	}),
	list(wire.ListTransactions, func(ctx context.Context, r metalog.Reader, _ wire.Nothing) iter.Seq2[events.Transaction, error] {
		return r.ListTransactions(ctx)
	}),
}

// storeReads are the other operations that are no commands, but for info; the
// commands are metalog.Ops.
var storeReads = []operation[*metalog.Store]{
	query(wire.ReadEvents, readEvents),
	query(wire.PlanEvents, plan),
	query(wire.ReadHistory, readHistory),
	query(wire.ReadCascade, readCascade),
	query(wire.AskBlame, blame),
	query(wire.Verify, verify),
	query(wire.PlanUndo, planUndo),
	query(wire.Undo, undo),
	query(wire.ReadDiff, diff),
	query(wire.CreateSnapshot, createSnapshot),
	query(wire.ListSnapshots, listSnapshots),
	query(wire.Backup, backup),
	query(wire.Rebuild, rebuild),
	query(wire.Archive, archive),
	query(wire.ListArchive, listArchive),
	query(wire.PruneArchive, pruneArchive),
}

// info is the operation that tells of the store, and of the server around it.
func (s *Service) info() operation[timeViewer] {
	return read(wire.Info, func(ctx context.Context, r metalog.Reader, _ wire.Nothing) (metalog.Info, error) {
		info, err := r.Info(ctx)
		if err == nil {
			info.Publisher = s.opts.Publisher(ctx)
		}
		return info, err
	})
}

func orAll(partition *int32) int32 {
	if partition == nil {
		return metalog.AllPartitions
	}
	return *partition
}

// readTimeout bounds how long a read waits for the seq that it must reflect.
const readTimeout = 30 * time.Second

// atTimeout bounds how long a read waits for an earlier state to be made, which goes
// on after that. It is shorter than what clients wait for, so that they hear of it.
const atTimeout = 20 * time.Second

// state is which one a read is answered from.
type state struct {
	minSeq uint64
	at     *metalog.Point // nil: the present one
}

func (s state) view(ctx context.Context, op string, from timeViewer) (metalog.View, error) {
	if s.at != nil {
		return from.At(ctx, *s.at)
	}
	view, err := from.View(ctx, s.minSeq)
	if err != nil {
		err = events.Errorf(events.CodeOf(err), "%s: wait for seq %d: %w", op, s.minSeq, err)
	}
	return view, err
}

// read makes the operation of a query that is answered from the views, from one
// state whose seq is told.
func read[Req, Ans any](q wire.Query[Req, Ans], ask func(context.Context, metalog.Reader, Req) (Ans, error)) operation[timeViewer] {
	return operation[timeViewer]{q.Op, func(ctx context.Context, from timeViewer, r micro.Request) (a answer, err error) {
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		var req Req
		view, err := viewFor(ctx, q.Op, from, r, &req)
		if err != nil {
			return a, err
		}
		body, err := ask(ctx, view, req)
		a = answer{body: body, seq: view.Seq()}
		if closeErr := view.Close(); err == nil {
			err = closeErr
		}
		return a, err
	}}
}

// list is read for a list, whose rows are told as they are read.
func list[Req, Row any](q wire.List[Req, Row], ask func(context.Context, metalog.Reader, Req) iter.Seq2[Row, error]) operation[timeViewer] {
	return operation[timeViewer]{q.Op, func(ctx context.Context, from timeViewer, r micro.Request) (a answer, err error) {
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		var req Req
		view, err := viewFor(ctx, q.Op, from, r, &req)
		if err != nil {
			cancel()
			return a, err
		}
		end := func() error { cancel(); return view.Close() }
		return answer{seq: view.Seq(), rows: &rows{encodeRows(ask(ctx, view, req)), end}}, nil
	}}
}

// viewFor reads what a query asks for, and gives the state to answer it from.
func viewFor(ctx context.Context, op string, from timeViewer, r micro.Request, req any) (metalog.View, error) {
	state, err := decodeQuery(r, req)
	if err != nil {
		return nil, named(op, err)
	}
	return state.view(ctx, op, from)
}

// query makes the operation of a query that is answered by the store itself.
func query[Req, Ans any](q wire.Query[Req, Ans], ask func(context.Context, *metalog.Store, micro.Headers, Req) (Ans, error)) operation[*metalog.Store] {
	return operation[*metalog.Store]{q.Op, func(ctx context.Context, store *metalog.Store, r micro.Request) (answer, error) {
		var req Req
		_, err := decodeQuery(r, &req)
		if err == nil {
			err = refuseAt(r.Headers())
		}
		if err != nil {
			return answer{}, named(q.Op, err)
		}
		body, err := ask(ctx, store, r.Headers(), req)
		return answer{body: body}, err
	}}
}

// command makes the operation of a command that comes alone.
func (s *Service) command(op string) operation[*metalog.Store] {
	return operation[*metalog.Store]{op, func(ctx context.Context, store *metalog.Store, r micro.Request) (answer, error) {
		result, err := execute(ctx, op, store, r)
		return answer{body: result, seq: result.Seq, header: s.takesBatches}, err
	}}
}

func execute(ctx context.Context, op string, store *metalog.Store, r micro.Request) (result metalog.Result, err error) {
	opts, err := commandOptions(r.Headers())
	if err == nil {
		err = refuseAt(r.Headers())
	}
	if err != nil {
		return result, named(op, err)
	}
	cmd, err := parseCommand(op, r.Data())
	if err != nil {
		return result, err
	}
	return store.Execute(ctx, cmd, opts)
}
