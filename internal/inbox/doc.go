// Package inbox receives the answers to requests over NATS: those to many requests
// by one subscription, told apart by the last token of their subject, as nats.go's
// own Request does. Unlike that, it puts answers together that come in parts.
//
// What does not live here: what requests and answers say (internal/wire,
// internal/logread).
package inbox
