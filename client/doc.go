// Package client is metalog.MetadataStore for programs that are not the one that
// has the store open: it asks a running server over NATS.
//
//	store, err := client.Connect(ctx, "nats://127.0.0.1:4222", client.Options{Actor: "broker-7"})
//
// What a Store does, a Client does, with the same results and the same error
// codes. What differs is what a network adds: ErrUnavailable when no server
// answers, and ErrOutcomeUnknown when a command was sent and no answer came
// back. Repeat such a command with the same command id.
//
// Share one Client among all goroutines of a program: commands of one operation that
// they give at the same time go to the server in one message, each still with its own
// result and error. Nobody waits for that: what comes when no message is under way is
// sent at once.
//
// To follow changes rather than to ask for them, see publisher.Subscribe.
package client
