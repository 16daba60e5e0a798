// Package natsserver runs a NATS server with JetStream inside the process. It is
// the only package besides cmd that links nats-server, so that programs which
// only connect stay small.
//
// The server holds the published stream, which can be refilled from the log at
// any time: its store is not synced at each message, and losing it loses
// nothing.
package natsserver
