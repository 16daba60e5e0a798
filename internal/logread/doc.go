// Package logread is the log-read request, both ends of it: how a replica gets
// the log's frames, exactly as they stand in the log, from a server over NATS.
//
// A request is a JSON object on metalog.<cluster>.api.log.read: the first seq
// that is wanted, how many bytes at most, and for how long the server may wait
// for that seq to be written. The answer is frames back to back, possibly none,
// cut into parts as every answer of the request API; its headers tell log id,
// epoch, first seq and head, also when it is an error.
//
// What does not live here: who listens on the subject (internal/service), and
// what is done with frames (publisher). The package is apart from internal/wire
// because that one imports the root package, which publisher must not.
package logread
