// Package publisher carries the log's events to NATS and back: a [Publisher]
// follows the log and writes each event into a JetStream stream exactly once and
// in order, [Subscribe] reads them from it, and [Follow] keeps a copy of the views.
// docs/subscribing.md describes subjects, headers and payloads for programs in other
// languages.
//
// # What is in the stream
//
// One message for each run of consecutive events of a record that share a
// subject, in log order. So the 50 offsets of one commit are one message, and
// the stream's messages, read in order, are the log's events in order.
//
// # Why each event is there once
//
// The stream itself is the only record of how far publishing got. A publisher
// begins by reading the stream's last message, whose headers say which event
// comes next; that may be in the middle of a record. From there on each message
// is published with the stream sequence that must precede it. The server stores
// it only if nothing else was stored in between, so:
//   - after a crash of the publisher, at any point, the next one continues after
//     the last message that was stored, whether or not its ack arrived;
//   - a message that arrives late, after its publisher gave up on it, either
//     fits exactly (it is then the right message) or is refused;
//   - of two publishers one wins each sequence; the other one is refused, and
//     reads the last message again.
//
// After any error the pipeline is abandoned and publishing begins again with
// reading the last message. There are no message ids: the server's window of
// known ids outlives a purge and would swallow a refill.
//
// A stream that was lost, purged or cut at its front by somebody else is filled
// again from the log. The publisher itself trims it in front when it is told how
// much to retain; the stream's metadata then says with which record it begins on
// purpose. A stream that is ahead of the log, or differs from it, is never
// continued: records were lost, and the publisher says so and stops; unless the
// log has a later epoch, with which an operator has decided that this history is
// over. Then the stream is filled with the log's.
//
// # What a subscriber is promised
//
// Every event that matches its filter, once, in log order, over reconnects,
// restarts of the server and refills of the stream. Whatever breaks that order
// is an error that names the position, and has a type: [GapError], [RangeError],
// [ForkError]. A [Checkpoint], stored by the subscriber with its data, carries the
// promise over its own restarts.
//
// How that is checked: without a filter positions have to follow on one another.
// With one, the subscriber looks after each batch whether the stream still begins
// where it was, or before: else something that matched may have been removed
// before it was read. When a session begins, the stream's log id, epoch and fork,
// and the hash of the last record seen, tell whether it is the same history.
//
// # Replicas
//
// [Follow] keeps a copy of the views: from a snapshot that an [Offerer] has put
// into an object store, and from then on from the log's own frames, which it asks
// the server for.
//
// # Replicas
//
// [Follow] keeps a copy of the views in a directory. It does not read the stream:
// it begins with a snapshot from the cluster's object store ([Offerer] puts it
// there, [Offers] lists what there is), and then asks the server for the log's
// frames by seq. docs/architecture.md says what it does with what it meets.
//
// What does not live here: the log (internal/eventlog), the server
// (internal/natsserver), and how commands reach the store over NATS.
package publisher
