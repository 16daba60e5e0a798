package examples

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const installTimeout = 2 * time.Minute

// installJavaScript installs what the example needs, in a copy of its directory.
func installJavaScript(t *testing.T) program {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: the JavaScript example is not tested: %v; install Node 20 or later", err)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../docs/examples/javascript")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), installTimeout)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: the JavaScript example is not tested: npm ci: %v (is the npm registry in reach?)\n%s", err, out)
	}
	return program{"node", filepath.Join(dir, "main.js")}
}
