// Package linear checks that the store is linearizable: that concurrent reads
// and compare-and-set writes have answers that some order explains, one in which
// each takes effect between its call and its answer.
//
// A child (server_test.go), which is this test binary again, holds a store and
// serves it over its standard input and output. Clients (client_test.go) write
// configs on condition of the revision that they read last, while the child is
// killed and started again. A write that a kill left without an answer is given
// again under its command id, or is left as one that may be done; either way its
// time ends with the child, for no command takes effect after that.
//
// Porcupine holds the history against a model (model_test.go). That it would find
// a stale read, a lost write or a write done twice is tested too, on histories
// made by hand and on a child that reads stale on purpose.
//
//	go test ./tests/linear
//	METALOG_LONG=1 go test ./tests/linear -timeout 1h -v
package linear
