// Command metalog is the command line of the metadata store, and its server.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/metalog/metalog/cmd/metalog/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command.Run(ctx, os.Args[1:], command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
