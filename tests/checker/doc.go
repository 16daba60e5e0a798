// Package checker reads snapshots of a store while writers and flushes run, and
// looks for what a store must never show: see checker_test.go.
package checker
