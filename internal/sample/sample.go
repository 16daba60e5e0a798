package sample

import (
	_ "embed"
	"io"
	"strings"
)

//go:generate go run ./gen

//go:embed sample.jsonl
var lines string

// Open returns the sample's lines, as `metalog apply -f` reads them. Each command
// carries a command id of its own, so applying them again changes nothing.
func Open() io.Reader { return strings.NewReader(lines) }
