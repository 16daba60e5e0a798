// Package metalog is the metadata store of a Kafka-like streaming platform,
// built as an event-sourced log with materialized views.
//
// Every change is a command. The way of a command, in the order of the files:
//
//   - command.go, decide_*.go: what can be asked for, one file an entity. A
//     command is checked, then decided against the views; only that rejects.
//   - execute.go: takes it, has it wait for a place, and waits for its answer.
//   - sequencer.go: the one goroutine that decides all commands in their order,
//     gathers their records into groups, and applies them to pending rows.
//   - logwriter.go: the one goroutine that appends groups to the log, syncs,
//     publishes the rows to readers, and only then answers.
//   - background.go: flushes rows to the views' file, goes on with cascades that
//     are too large for a record, expires what has timed out.
//
// Reads (queries.go, view.go) take a consistent snapshot of what is durable, or of
// an earlier state (asof.go). What the log has besides is told by history.go, diff.go
// and export.go, made into a file by rebuild.go, brought back by undo_*.go, and moved
// out of the way by archive_*.go.
//
// What does not live here: the vocabulary (events), what events do to the views
// (projector, views), the log's files (internal/eventlog), reading the log again
// (replay), and NATS (publisher, client).
package metalog
