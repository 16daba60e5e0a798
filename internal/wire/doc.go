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
// the answer is their bytes put together again. The parts of a list are sent while its
// rows are read; when that fails, the part that follows is the last one, has the error
// headers, and its body is the error alone.
//
// Commands of one operation may come in one message, a batch: on the operation's own
// subject, with HeaderBatch, which says how many there are. The body is CBOR: a list of
// byte strings, two for each Order. The answer is a list of as many Outcomes, in the same
// order, or the error of a request that is no batch, of which nothing was done. Each
// answer to a command has HeaderBatch too, with the number that the server takes in
// one message; a server whose answers do not have it takes no batches. The form of
// batches is a matter of the package client and the server, and may change: other
// programs send commands one by one.
//
// What does not live here: who answers (internal/service) and who asks (client),
// and the log reads of replicas, whose answers are no JSON (internal/logread).
package wire
