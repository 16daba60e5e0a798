// Package sample holds the sample catalogue that `metalog serve --demo` loads: a
// file for `metalog apply`, embedded in the program.
//
// The topics, their configs and the consumer groups are facts about a real
// platform (testdata/README.md names the source); everything else in the file is
// made up from a fixed seed by the generator in gen. After a change there,
// `go generate ./internal/sample` writes the file again.
package sample
