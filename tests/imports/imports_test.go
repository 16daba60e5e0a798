package imports

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/metalog/metalog"

// allowed says which packages of this module each package may import itself.
// "." is the root package; a package that is not here is an error: it needs a
// place in the order first.
var allowed = map[string][]string{
	"events":            {},
	"views":             {"events", "internal/pages"},
	"projector":         {"events", "views"},
	"replay":            {"events", "views", "projector", "internal/durable", "internal/eventlog", "internal/archive", "internal/history"},
	"internal/durable":  {},
	"internal/eventlog": {"events", "internal/durable"},
	"internal/history":  {"events", "internal/eventlog", "internal/pages"},
	"internal/pages":    {},
	"internal/archive":  {"events", "internal/durable", "internal/eventlog"},
	".":                 {"events", "views", "projector", "replay", "internal/archive", "internal/eventlog", "internal/durable", "internal/history"},

	"internal/inbox":      {},
	"internal/logread":    {"events", "internal/eventlog", "internal/inbox"},
	"publisher":           {"events", "views", "projector", "replay", "internal/durable", "internal/eventlog", "internal/logread"},
	"internal/natsserver": {"events"},
	"internal/natsdial":   {"events"},
	"internal/wire":       {".", "events", "internal/inbox"},
	"internal/service":    {".", "events", "internal/logread", "internal/wire"},
	"client":              {".", "events", "internal/inbox", "internal/natsdial", "internal/wire"},

	"internal/sample":     {},
	"internal/sample/gen": {".", "events"},
	"internal/benchlog":   {"events", "views", "projector", "replay", "internal/durable", "internal/eventlog"},
	"internal/s3test":     {},
	"internal/storetest":  {".", "events", "views", "projector", "replay", "internal/eventlog"},

	"cmd/metalog": {"cmd/metalog/command"},
	"cmd/metalog/command": {
		".", "events", "replay", "publisher", "client",
		"internal/durable", // an export's file
		"internal/natsdial", "internal/natsserver", "internal/sample", "internal/service",
	},

	"docs/examples/go-nats": {}, // it shows how to do without

	"tests/imports": {},
}

// owners says which packages may import a library, tests aside. Libraries that are
// not here are free.
var owners = map[string][]string{
	"github.com/fxamacker/cbor":         {"events"},
	"github.com/tidwall/wal":            {"internal/eventlog"},
	"github.com/gofrs/flock":            {"internal/eventlog"},
	"github.com/minio":                  {"internal/archive"},
	"github.com/klauspost/compress":     {"internal/archive"},
	"github.com/johannesboyne/gofakes3": {"internal/s3test"},
	"github.com/tidwall/btree":          {"views"},
	"go.etcd.io/bbolt":                  {"views", "internal/history", "internal/storetest"},
	"github.com/nats-io/nats-server":    {"internal/natsserver", "cmd/metalog/command"},
	"github.com/nats-io/nats.go":        {"publisher", "client", "internal/inbox", "internal/logread", "internal/natsdial", "internal/natsserver", "internal/service", "internal/wire", "cmd/metalog/command", "docs/examples/go-nats"},
	"github.com/spf13":                  {"cmd/metalog", "cmd/metalog/command"},
	"github.com/prometheus":             {"cmd/metalog/command"},
	"github.com/anishathalye/porcupine": {},
	"pgregory.net/rapid":                {},
}

// never says what a package must not depend on, by whatever way.
var never = map[string][]string{
	".":         {module + "/publisher", module + "/client", module + "/cmd", "github.com/nats-io"},
	"replay":    {module, "github.com/nats-io"},
	"client":    {"github.com/nats-io/nats-server"},
	"publisher": {module, "github.com/nats-io/nats-server"},
}

// goPackage is a directory's files, tests left out.
type goPackage struct {
	name    string // its path in the module; "." for the root package
	imports []string
}

func inModule(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func isOurs(importPath string) bool { return within(importPath, module) }

// within reports whether importPath is tree or below it.
func within(importPath, tree string) bool {
	return importPath == tree || strings.HasPrefix(importPath, tree+"/")
}

// packages reads the imports of all packages, by name. It reads the files itself,
// since `go test` would not know what `go list` has read, and would take an old
// result for the new one.
func packages(t *testing.T) map[string]*goPackage {
	t.Helper()
	const root = "../.."
	all := map[string]*goPackage{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || len(entry.Name()) > 2 && entry.Name()[0] == '.'):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		name := filepath.ToSlash(dir)
		if all[name] == nil {
			all[name] = &goPackage{name: name}
		}
		return all[name].read(file)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// read adds the imports of a file.
func (p *goPackage) read(file string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		p.imports = append(p.imports, imported)
	}
	return nil
}

// dependencies are what the package imports, and what those of this module that
// it imports do.
func dependencies(all map[string]*goPackage, p *goPackage) map[string]bool {
	deps := map[string]bool{}
	var visit func(p *goPackage)
	visit = func(p *goPackage) {
		for _, imported := range p.imports {
			if deps[imported] {
				continue
			}
			deps[imported] = true
			if next := all[inModule(imported)]; isOurs(imported) && next != nil {
				visit(next)
			}
		}
	}
	visit(p)
	return deps
}

func TestDirections(t *testing.T) {
	for _, p := range packages(t) {
		may, known := allowed[p.name]
		if !known && !strings.HasPrefix(p.name, "tests/") {
			t.Errorf("%s has no row in the table of allowed imports", p.name)
			continue
		}
		for _, imported := range p.imports {
			if isOurs(imported) && known && !slices.Contains(may, inModule(imported)) {
				t.Errorf("%s must not import %s", p.name, inModule(imported))
			}
		}
	}
}

func TestLibraries(t *testing.T) {
	for _, p := range packages(t) {
		if strings.HasPrefix(p.name, "tests/") {
			continue
		}
		for _, imported := range p.imports {
			for library, users := range owners {
				if within(imported, library) && !slices.Contains(users, p.name) {
					t.Errorf("%s must not import %s; only %v may", p.name, imported, users)
				}
			}
		}
	}
}

func TestNever(t *testing.T) {
	all := packages(t)
	for name, forbidden := range never {
		p := all[name]
		if p == nil {
			t.Errorf("there is no package %s", name)
			continue
		}
		for dep := range dependencies(all, p) {
			for _, tree := range forbidden {
				// The module's own path forbids the root package, not all below it.
				if dep == tree || tree != module && within(dep, tree) {
					t.Errorf("%s must not depend on %s", name, dep)
				}
			}
		}
	}
}

func TestNames(t *testing.T) {
	for _, p := range packages(t) {
		switch path.Base(p.name) {
		case "util", "utils", "common", "helper", "helpers", "misc":
			t.Errorf("%s: name the package for what it holds", p.name)
		}
	}
}
