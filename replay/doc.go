// Package replay reads the log again: to find events, and to rebuild views.
//
// It is for operators and auditors; what a live store does with the log is in
// the root package, which this one never imports.
package replay
