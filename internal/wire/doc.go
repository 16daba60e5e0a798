// Package wire has what both ends of the request API over NATS share: subjects,
// headers, the operations with the types of their requests and answers, and how
// an answer is split into messages.
//
// A request is one message on metalog.<cluster>.api.<operation>. Its body is a
// JSON object: a command's fields, or what a read asks for. The answer is JSON
// too: the result, or an object with "code" and "message" together with the
// error headers of NATS services.
//
// An answer of any size fits any server: it is cut into parts below MaxPart,
// sent in order to the reply subject. All but the last one have HeaderMore, and
// the answer is their bytes put together again.
//
// What does not live here: who answers (internal/service) and who asks (client),
// and the log reads of replicas, whose answers are no JSON (internal/logread).
package wire
