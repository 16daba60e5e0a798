// Package bench measures the ways that matter to users from end to end, each
// beside the same work without metalog, in one run: publishing the log, the time
// from a commit to a subscriber, and catching up. It holds benchmarks only.
package bench
