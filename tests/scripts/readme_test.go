package scripts

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// readmeDir is where the README is, seen from this package's tests.
const readmeDir = "../.."

// readme HEADING writes the first shell session below a heading of the README to
// session.sh.
func readme(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(filepath.Join(readmeDir, "README.md"))
	check(ts, err)
	_, below, ok := strings.Cut(string(text), "\n## "+args[0]+"\n")
	if ok {
		_, below, ok = strings.Cut(below, "\n```sh\n")
	}
	session, _, closed := strings.Cut(below, "\n```\n")
	if !ok || !closed {
		ts.Fatalf("README.md has no shell session below %q", args[0])
	}
	check(ts, os.WriteFile(ts.MkAbs("session.sh"), []byte(session+"\n"), 0o600))
}
