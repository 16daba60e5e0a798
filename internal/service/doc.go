// Package service answers the request API over NATS for a store: every command
// and every read of metalog.MetadataStore, as package wire describes them, and
// the log reads of replicas (package logread). For a replica it answers the reads
// of views.
//
// It is a NATS service, so the usual tools discover it and show its statistics.
// Requests are answered side by side, up to a bound; beyond it they wait in the
// connection's buffers. The bound is one of commands, whether they come alone or in
// batches; what services tell of themselves counts messages.
//
// What does not live here: the server that carries the messages
// (internal/natsserver), the events that are published (publisher), and the
// client (client).
package service
