package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends it at once
	err := start(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(1)
	}
}

// start runs the suite, prints its tables, and removes what it has made.
func start(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	o, err := parseOptions(args, progress)
	if err != nil {
		return err
	}
	dir, err := makeDir(o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := newSuite(o, dir, progress)
	if err := s.run(ctx); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		return err
	}
	if err := s.results.print(out); err != nil {
		return err
	}
	if o.json != "" {
		if err := writeFile(o.json, s.results.writeJSON); err != nil {
			return err
		}
	}
	if s.results.failed() {
		return errors.New("not all was measured; the tables tell what failed")
	}
	return nil
}

// makeDir makes a directory that another user can enter, as PostgreSQL may have to.
func makeDir(parent string) (string, error) {
	dir, err := os.MkdirTemp(parent, "metalog-suite-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return dir, err
	}
	return filepath.Abs(dir)
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
