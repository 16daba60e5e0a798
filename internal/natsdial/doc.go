// Package natsdial says how programs of metalog reach a NATS server that is not
// their own: which addresses, with which credentials, and what an attempt that
// failed means. The server, all commands and the client go through it, so that
// one flag means the same everywhere.
//
// What does not live here: the server in process (internal/natsserver), and what
// is done with a connection.
package natsdial
