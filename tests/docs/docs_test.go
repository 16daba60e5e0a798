package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// documents are the texts that are checked, by their paths from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(text)
		}
	}
	if len(texts) < 5 {
		t.Fatalf("only %d documents were found", len(texts))
	}
	return texts
}

var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w+)\(`)

// testNames are the names of all tests in the module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range testFunction.FindAllSubmatch(source, -1) {
			names[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var (
	namedTest = regexp.MustCompile("`((?:Test|Fuzz|Example)\\w+)`")
	link      = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
)

func TestNamedTestsExist(t *testing.T) {
	known := testNames(t)
	for path, text := range documents(t) {
		for _, match := range namedTest.FindAllStringSubmatch(text, -1) {
			if !known[match[1]] {
				t.Errorf("%s names %s, which is no test", path, match[1])
			}
		}
	}
}

func TestLinkedFilesExist(t *testing.T) {
	for path, text := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), match[1])); err != nil {
				t.Errorf("%s links to %s: %v", path, match[1], err)
			}
		}
	}
}

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// What the README shows of Go is taken from an example that is compiled and run.
// Whole programs are run by tests/examples.
func TestReadmeShowsTheExample(t *testing.T) {
	texts := documents(t)
	example, err := os.ReadFile(filepath.Join(root, "example_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllStringSubmatch(texts[filepath.Join(root, "README.md")], -1)
	if len(blocks) == 0 {
		t.Fatal("the README shows no Go")
	}
	for _, block := range blocks {
		if strings.HasPrefix(block[1], "package main\n") {
			continue
		}
		for line := range strings.Lines(block[1]) {
			if !strings.Contains(string(example), strings.TrimSpace(line)) {
				t.Errorf("example_test.go does not have the README's line %q", line)
			}
		}
	}
}
