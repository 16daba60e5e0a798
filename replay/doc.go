// Package replay works with the log and the views apart from a live store: it
// finds events, rebuilds views, makes those of earlier states, takes and restores
// snapshots, verifies a data directory, backs it up, and repairs a damaged log into
// a new one.
//
// It is for operators and auditors, and for the store when it opens. What a live
// store does with the log is in the root package, which this one never imports.
package replay
