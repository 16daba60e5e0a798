// Package nats holds publisher and subscribers to their contract against real NATS
// servers that fail, and tries each way to log in to one:
//
//   - the contract (contract_test.go): every event once and in order, in the stream
//     and in the hands of subscribers, filtered or not, whatever happens to the
//     servers, the stream and the publishers meanwhile;
//   - the environments (environment_test.go): a server in process, a server that is
//     a process of its own and is killed (child_test.go: the test binary starts
//     itself), and a cluster of three, of which any node is stopped, the stream's
//     leader too;
//   - credentials (auth_test.go), for the server's own connections and for clients.
//
// What is published is the log of a store that gets commands meanwhile
// (load_test.go).
//
// Each suite has a quick form, which is what go test runs, and a long one: with
// METALOG_LONG=1 in the environment, or as many rounds as -rounds says.
package nats
