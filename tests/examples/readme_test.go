package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/metalog/metalog/publisher"
)

var goProgram = regexp.MustCompile("(?s)```go\n(package main\n.*?)```")

// TestReadmeSubscriber pastes the README's subscriber into a module of its own, and
// runs it.
func TestReadmeSubscriber(t *testing.T) {
	w := newWorld(t, publisher.JSON)
	w.send(20)
	w.awaitPublished()
	run := program{pasted(t, w.server.ClientURL())}.start(t)
	for rec, err := range w.store.Log().Records(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range rec.Facts {
			v := rec.View(i)
			want := fmt.Sprint(v.Seq, " ", v.Index, " ", v.Type, " ", v.Entity, " by ", v.Actor)
			if !run.lines.Scan() {
				run.end()
				t.Fatalf("the program ended before %q:\n%s", want, run.stderr.String())
			}
			if got := run.lines.Text(); got != want {
				t.Fatalf("the program prints %q, want %q", got, want)
			}
		}
	}
}

// pasted builds the README's program, with the address of a server.
func pasted(t *testing.T, url string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	blocks := goProgram.FindAllStringSubmatch(read(t, filepath.Join(root, "README.md")), -1)
	const address = `"nats://127.0.0.1:4222"`
	if len(blocks) != 1 || strings.Count(blocks[0][1], address) != 1 {
		t.Fatalf("the README has %d whole programs in Go, want one that connects to %s", len(blocks), address)
	}
	dir := t.TempDir()
	// The module has the versions of this one, so that nothing has to be fetched.
	module := strings.Replace(read(t, filepath.Join(root, "go.mod")), "module github.com/metalog/metalog\n", "module example.com/subscriber\n", 1)
	module += "\nrequire github.com/metalog/metalog v0.0.0\n\nreplace github.com/metalog/metalog => " + root + "\n"
	for name, text := range map[string]string{
		"go.mod": module, "go.sum": read(t, filepath.Join(root, "go.sum")), "main.go": strings.Replace(blocks[0][1], address, fmt.Sprintf("%q", url), 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "subscriber", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "subscriber")
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
