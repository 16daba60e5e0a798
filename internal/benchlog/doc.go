// Package benchlog makes long logs for benchmarks: offset-heavy, as those of a busy
// platform are, and the same on each run.
//
//	func TestMain(m *testing.M) { os.Exit(benchlog.Run(m)) }
//
//	func BenchmarkX(b *testing.B) {
//		dir := benchlog.Dir(b, benchlog.Shape{Offsets: 50})
//		log, err := eventlog.Open(filepath.Join(dir, replay.LogDir), eventlog.Options{})
//		…
//
// [Dir] gives a data directory as a store leaves it when it is closed: log, views, and
// snapshots if they are asked for. It is made once a process and shape, is for reading
// only, and goes when the process ends; [Clone] gives a copy that may be changed.
//
// With METALOG_BENCH_DIR set to a directory, logs are made there and kept, and found
// again by the next run. METALOG_BENCH_EVENTS is how many events they have, 10,000,000
// unless it is set, and 200,000 with -short.
//
// What a log holds is in contents.go. It is no part of the program.
package benchlog
