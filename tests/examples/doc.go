// Package examples runs what docs/subscribing.md and the README tell a subscriber
// to do: the example programs, in Go and in JavaScript, as processes that are
// killed while a store publishes and its NATS server restarts, loses the stream
// and has it purged; and the stock command line of NATS.
package examples
