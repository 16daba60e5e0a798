package main

import "context"

// system is one of what is measured, open. The methods are what workloads ask for,
// each durable on return; all but Close are safe for concurrent use.
type system interface {
	// load puts a shape's rows, and what commits and reads need besides.
	load(ctx context.Context, s shape) error
	// commit stores a group's offset for as many partitions as count, from one on.
	commit(ctx context.Context, group, partition, count int, offset int64) error
	createTopic(ctx context.Context, name string, partitions int) error
	// addSegments adds count segments to a topic's partition 0, numbered from first.
	addSegments(ctx context.Context, topic string, first, count int) error
	// rollSegment adds a segment to a partition and removes another one, at once.
	// With removed negative it only adds.
	rollSegment(ctx context.Context, topic string, partition, added, removed int) error
	// deleteTopic returns when the topic and its segments can't be reached any more.
	deleteTopic(ctx context.Context, name string) error
	// awaitPurged returns when nothing is left of a deleted topic.
	awaitPurged(ctx context.Context, name string) error
	// read gets one offset.
	read(ctx context.Context, group, partition int) error
	// list gets all offsets of a group, and tells how many they are.
	list(ctx context.Context, group int) (int, error)
	// Close stops it, when all that it does in the background is done.
	Close(ctx context.Context) error
}

// noter is a system that has something to say of a measurement.
type noter interface {
	// note is called right after it.
	note(ctx context.Context) (string, error)
}

// candidate is how to open a system.
type candidate struct {
	name    string
	maxRows int          // 0: any number
	find    func() error // why it can't run here; nil: it always can
	// open opens what is in a directory, which may be empty, for so many clients.
	open func(ctx context.Context, dir string, clients int) (system, error)
}

// The names of metalog's own candidates.
const (
	inProcess     = "metalog"
	published     = "metalog+pub"
	wire          = "metalog-wire"
	wirePublished = "metalog-wire+pub"
	bareLog       = "bare-log"
)
