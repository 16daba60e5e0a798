// Package command is metalog's command line, one file a noun. A command works on
// a metalog.MetadataStore and does not know whether that is a data directory
// opened in process or a server: open.go decides it.
//
// What does not live here: anything that a Go program could not do through
// metalog.MetadataStore as well, except running the server (serve.go).
package command
