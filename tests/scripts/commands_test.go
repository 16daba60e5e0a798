package scripts

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/metalog/metalog/cmd/metalog/command"
)

func check(ts *testscript.TestScript, err error) {
	if err != nil {
		ts.Fatalf("%v", err)
	}
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	check(ts, err)
	return n
}

// exits STATUS PROGRAM ARG… runs a program that has to end with a status.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want := number(ts, args[0])
	status := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		status = failed.ExitCode()
	}
	if status != want {
		ts.Fatalf("exit status %d, want %d", status, want)
	}
}

// run runs a metalog command in this process.
func run(ts *testscript.TestScript, args ...string) (status int, stdout, stderr string) {
	var out, failure bytes.Buffer
	args = append([]string{"--data", ts.Getenv("METADATA_PATH")}, args...)
	status = command.Run(context.Background(), args, command.Streams{In: strings.NewReader(""), Out: &out, Err: &failure})
	return status, out.String(), failure.String()
}

// refused STATUS PATTERN ARG… runs a metalog command that has to be refused: with
// the status, one line on standard error that matches, and nothing appended.
func refused(ts *testscript.TestScript, _ bool, args []string) {
	before := head(ts)
	status, _, stderr := run(ts, args[2:]...)
	if want := number(ts, args[0]); status != want {
		ts.Fatalf("exit status %d, want %d: %s", status, want, stderr)
	}
	if !strings.HasPrefix(stderr, "metalog: ") || strings.Count(stderr, "\n") != 1 {
		ts.Fatalf("standard error is not one line of metalog's: %q", stderr)
	}
	if !regexp.MustCompile(args[1]).MatchString(stderr) {
		ts.Fatalf("standard error %q does not match %s", stderr, args[1])
	}
	if after := head(ts); after != before {
		ts.Fatalf("seq %v became %v", before, after)
	}
}

// head is the store's last seq, as info shows it.
func head(ts *testscript.TestScript) any {
	status, stdout, stderr := run(ts, "-o", "json", "info")
	if status != 0 {
		ts.Fatalf("info: %s", stderr)
	}
	var info map[string]any
	check(ts, json.Unmarshal([]byte(stdout), &info))
	return info["seq"]
}

// fields NAME… wants the names in the JSON object on standard output, or in each
// one of a list that is not empty.
func fields(ts *testscript.TestScript, _ bool, names []string) {
	text := []byte(ts.ReadFile("stdout"))
	var objects []map[string]any
	if json.Unmarshal(text, &objects) != nil {
		objects = make([]map[string]any, 1)
		check(ts, json.Unmarshal(text, &objects[0]))
	}
	if len(objects) == 0 {
		ts.Fatalf("the list is empty")
	}
	for _, object := range objects {
		for _, name := range names {
			if _, ok := object[name]; !ok {
				ts.Fatalf("%v has no %q", object, name)
			}
		}
	}
}

// count N wants so many elements in the JSON list on standard output.
func count(ts *testscript.TestScript, _ bool, args []string) {
	var list []any
	check(ts, json.Unmarshal([]byte(ts.ReadFile("stdout")), &list))
	if want := number(ts, args[0]); len(list) != want {
		ts.Fatalf("%d elements, want %d", len(list), want)
	}
}

// sameevents FILE FILE wants the same events in two JSON lists, but for their
// times.
func sameEvents(ts *testscript.TestScript, _ bool, files []string) {
	var lists [2][]map[string]any
	for i, file := range files {
		check(ts, json.Unmarshal([]byte(ts.ReadFile(file)), &lists[i]))
		for _, event := range lists[i] {
			delete(event, "time")
		}
	}
	if len(lists[0]) == 0 || !reflect.DeepEqual(lists[0], lists[1]) {
		ts.Fatalf("%v\ndiffers from\n%v", lists[0], lists[1])
	}
}

// timeof VARIABLE sets a variable to the time of the first event that was printed.
func timeOf(ts *testscript.TestScript, _ bool, args []string) {
	var list []struct{ Time string }
	check(ts, json.Unmarshal([]byte(ts.ReadFile("stdout")), &list))
	ts.Setenv(args[0], list[0].Time)
}

// longline FILE BYTES writes an apply file of one line.
func longLine(ts *testscript.TestScript, _ bool, args []string) {
	begin, end := `{"op":"group.create","id":"`, `"}`
	fill := strings.Repeat("g", number(ts, args[1])-len(begin)-len(end))
	check(ts, os.WriteFile(ts.MkAbs(args[0]), []byte(begin+fill+end+"\n"), 0o600))
}

// damage FILE OFFSET changes a byte of a file, of the first one that a pattern matches.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	path, offset := ts.MkAbs(args[0]), number(ts, args[1])
	if paths, err := filepath.Glob(path); err == nil && len(paths) > 0 {
		path = paths[0]
	}
	data, err := os.ReadFile(path)
	check(ts, err)
	data[offset] ^= 0xff
	check(ts, os.WriteFile(path, data, 0o600))
}

// withoutids FROM TO copies an export without its comments and command ids, which
// name the log.
func withoutIDs(ts *testscript.TestScript, _ bool, files []string) {
	ids := regexp.MustCompile(`(?m)^#.*\n|"command_id":"[^"]*",?`)
	check(ts, os.WriteFile(ts.MkAbs(files[1]), []byte(ids.ReplaceAllString(ts.ReadFile(files[0]), "")), 0o600))
}

// cutlines FROM N TO copies the first lines of a file.
func cutLines(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.SplitAfter(ts.ReadFile(args[0]), "\n")
	check(ts, os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Join(lines[:number(ts, args[1])], "")), 0o600))
}

// serverKey finds the server of a script.
type serverKey struct{}

type runningServer struct {
	cancel context.CancelFunc
	ended  chan int // exit status
	rest   *bytes.Buffer
}

var natsURL = regexp.MustCompile(`nats://127\.0\.0\.1:\d+`)

// serve ARG… starts a server on free ports, and points METALOG_SERVER to it.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(serverKey{}).(*runningServer)
	args = append([]string{"--data", ts.Getenv("METADATA_PATH"), "serve", "--nats-port", "-1", "--http", "127.0.0.1:0"}, args...)
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	s.ended, s.rest = make(chan int, 1), &bytes.Buffer{}
	read, write := io.Pipe()
	go func() {
		s.ended <- command.Run(ctx, args, command.Streams{Out: write, Err: s.rest})
		write.Close()
	}()
	ts.Defer(func() { s.stop() })
	lines := bufio.NewScanner(read)
	for lines.Scan() {
		if url := natsURL.FindString(lines.Text()); url != "" && ts.Getenv("METALOG_SERVER") == "" {
			ts.Setenv("METALOG_SERVER", url)
		}
		if strings.HasPrefix(lines.Text(), "Stop it") {
			go io.Copy(io.Discard, read) //nolint:errcheck // until the server ends
			return
		}
	}
	ts.Fatalf("serve: status %d: %s", <-s.ended, s.rest)
}

// stop interrupts the server, which has to end without an error.
func stop(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value(serverKey{}).(*runningServer)
	if status := s.stop(); status != 0 {
		ts.Fatalf("serve: status %d: %s", status, s.rest)
	}
	ts.Setenv("METALOG_SERVER", "")
}

// stop stops the server once; a second time it returns 0.
func (s *runningServer) stop() (status int) {
	if s.cancel == nil {
		return 0
	}
	s.cancel()
	s.cancel = nil
	return <-s.ended
}
