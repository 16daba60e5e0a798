package metalog

import (
	"context"
	"errors"
	"reflect"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// WrapLog puts a log between the store and its own.
func (o *Options) WrapLog(wrap func(eventlog.Log) eventlog.Log) { o.wrap = wrap }

// Pending is a command in the queue or beyond.
type Pending struct{ req *request }

// Submit puts a command into the queue. Commands are decided in the order in
// which they are submitted.
func (s *Store) Submit(ctx context.Context, cmd Command, opts ...CommandOption) (*Pending, error) {
	req, err := newRequest(cmd, NewCommandOptions(opts...))
	if err != nil {
		return nil, err
	}
	return &Pending{req}, s.enqueue(ctx, req)
}

// Answered reports whether the caller has been told.
func (p *Pending) Answered() bool { return len(p.req.done) > 0 }

// Wait waits for the answer. It leaves it there.
func (p *Pending) Wait() (Result, error) {
	<-p.req.done
	p.req.done <- struct{}{}
	return p.req.result, p.req.err
}

// GiveUp is what a caller gets whose context has ended.
func (p *Pending) GiveUp(ctx context.Context) (Result, error) { return p.req.giveUp(ctx) }

// Misapplied is a command whose event can't be applied, as no decide would emit
// it.
type Misapplied struct{}

func (Misapplied) Op() string      { return "test.misapplied" }
func (Misapplied) validate() error { return nil }

func (Misapplied) decide(d *decision) error {
	d.emit(&events.SegmentRemoved{ID: "never was"})
	return nil
}

// Thing is a row of a view, by its kind as undo plans name it.
type Thing struct {
	Kind, Name string
	Fields     map[string]any
}

// Things lists all rows of a view that an undo may bring back.
func Things(view View) ([]Thing, error) {
	r := &view.(*pinned).snapshot.Reader
	var list []Thing
	var failure error
	add := func(t target) {
		row, err := t.read(r)
		if err != nil || row.value == nil {
			failure = errors.Join(failure, err)
			return
		}
		thing := Thing{Kind: string(t.Kind), Name: t.String(), Fields: map[string]any{}}
		if config, ok := row.value.(events.Config); ok {
			for key, value := range config {
				thing.Fields[key] = value
			}
			list = append(list, thing)
			return
		}
		v := reflect.ValueOf(row.value)
		c := comparison{fields: map[reflect.Type][]jsonField{}}
		for _, f := range c.fieldsOf(v.Type()) {
			thing.Fields[f.name] = v.FieldByIndex(f.index).Interface()
		}
		list = append(list, thing)
	}
	for topic, err := range r.Topics() {
		failure = errors.Join(failure, err)
		add(ofTopic(targetTopic, refOf(topic)))
		add(ofConfig(configOfTopic(refOf(topic)), ""))
		for s, err := range r.Segments(topic.ID, AllPartitions) {
			failure = errors.Join(failure, err)
			add(ofSegment(s.PartitionRef, s.ID))
		}
		for p := range topic.Partitions {
			ref := events.PartitionRef{Topic: topic.Name, TopicID: topic.ID, Partition: p}
			add(ofPartition(targetAssignment, ref))
			add(ofPartition(targetWatermarks, ref))
		}
	}
	for group, err := range r.Groups() {
		failure = errors.Join(failure, err)
		add(ofGroup(targetGroup, group.GroupRef))
		add(ofConfig(events.Scope{Of: group.Entity(), GroupID: group.GroupID}, ""))
		for o, err := range r.Offsets(group) {
			failure = errors.Join(failure, err)
			add(ofOffset(o.OffsetRef))
		}
	}
	for broker, err := range r.Brokers() {
		failure = errors.Join(failure, err)
		add(ofBroker(targetBroker, broker.ID))
		add(ofConfig(events.Scope{Of: broker.Entity()}, ""))
	}
	add(ofConfig(events.Scope{Of: clusterScope}, ""))
	return list, failure
}

var clusterScope = events.EntityRef{Kind: events.KindCluster}

// UndoPartly plans an undo, has between happen, and appends the first parts of it.
func (s *Store) UndoPartly(ctx context.Context, opts UndoOptions, parts int, between func()) error {
	p, err := s.planUndo(ctx, opts)
	if err != nil {
		return err
	}
	between()
	for i := range min(parts, len(p.parts)) {
		if _, err := s.undoPart(ctx, p, i, CommandOptions{Actor: "ops", Cause: &events.Position{Seq: opts.Seq}}); err != nil {
			return err
		}
	}
	return nil
}

// HoldFront holds the log's files as a backup does, until the function is called that
// it returns.
func (s *Store) HoldFront() (release func()) {
	s.front.RLock()
	return s.front.RUnlock
}
