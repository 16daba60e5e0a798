// Package model runs random commands against a store and against a plain model
// of it, written from the design alone, and compares what both say: all views,
// revisions and times included. In between the store is closed, crashes, gets
// its views back from snapshots and the log, and is rebuilt at any seq.
//
// TestTimeTravel keeps what the model says in the course of one long history, and
// compares that with reads as of then and with rebuilds.
//
// Each file has what the model holds of an entity, the steps that change it, and
// how it is compared.
package model
