// Command gen writes sample.jsonl, a file for `metalog apply`, from the facts in
// testdata. It is run by `go generate` in the directory above, and writes the
// same bytes each time.
package main

import (
	"bytes"
	"fmt"
	"os"
)

const (
	catalogueFile = "testdata/wikimedia-streams.jsonl"
	sampleFile    = "sample.jsonl"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	catalogue, err := os.ReadFile(catalogueFile)
	if err != nil {
		return err
	}
	sample, err := generate(bytes.NewReader(catalogue))
	if err != nil {
		return err
	}
	return os.WriteFile(sampleFile, sample, 0o644)
}
