// Package chaos kills what carries events to subscribers, at random and under
// load, and then looks whether each of them has every event once and in order.
//
// Each part is a process of its own: the NATS server, the store with its
// publisher, three subscribers (of all events, of a type, and of one topic that
// is seldom changed), and a replica. A round kills one or two of them with
// SIGKILL, or purges or deletes the stream, and starts what is gone again. A
// subscriber stores events and its checkpoint in one transaction.
//
// The quick form has 8 rounds, the long one (METALOG_LONG=1) 120. -rounds and
// -seed set others.
package chaos
