// Package crash holds the suites that end a store's process or disk while it
// works, and then check what is left:
//
//   - SIGKILL under load (kill_test.go), and how much a long log replays after it
//     (replay_test.go);
//   - a power cut on an ext4 of its own (power_linux_test.go; root only);
//   - syscalls that fail and a disk that is full (fault_linux_test.go; strace,
//     root).
//
// All of them work alike. The test binary starts itself as a child, which opens
// a store and gives it commands from many goroutines, reporting each before and
// after through a pipe: what is in the pipe survives whatever happens to the
// child and its disk. The parent then opens the store and holds the log against
// the reports (history_test.go), repeats commands by their ids, and has the views
// compared with a rebuild.
//
// A command follows from a seed, a worker and a number alone (load_test.go), so
// that parent and child need to exchange no more than these.
//
// Each suite has a quick form, which is what go test runs, and a long one: with
// METALOG_LONG=1 in the environment, or as many rounds as -rounds says. The seed
// is logged, and -seed repeats its commands; the moment of the crash can't be
// repeated.
package crash
