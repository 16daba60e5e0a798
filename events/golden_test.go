package events

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

var update = flag.Bool("update", false, "write golden files that are not there yet; those that are there are never changed")

// checkGolden compares got with a golden file. With -update it writes the file if
// there is none: bytes that some log may hold are never brought into line with
// the code.
func checkGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v; 'go test ./events -update' writes golden files for what is new", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has changed: what logs hold must stay as it is; give the changed event a new schema version\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// goldenRecord writes a record as bytes for the test and in CBOR's diagnostic
// notation for people.
func goldenRecord(t *testing.T, rec *Record) []byte {
	t.Helper()
	data, err := AppendRecord(nil, rec)
	if err != nil {
		t.Fatal(err)
	}
	diag, err := cbor.Diagnose(data)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# %s\n", diag)
	for digits := hex.EncodeToString(data); digits != ""; {
		n := min(len(digits), 80)
		fmt.Fprintln(&out, digits[:n])
		digits = digits[n:]
	}
	return out.Bytes()
}

// readGolden returns the bytes of a golden record.
func readGolden(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, digits, _ := strings.Cut(string(text), "\n")
	data, err := hex.DecodeString(strings.ReplaceAll(digits, "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGoldenBytes(t *testing.T) {
	for _, typ := range Types() {
		t.Run(typ.String(), func(t *testing.T) {
			checkGolden(t, fmt.Sprintf("%s.v%d.golden", typ, schemaVersion(typ)), goldenRecord(t, recordOf(typ)))
		})
	}
	t.Run("envelope", func(t *testing.T) {
		checkGolden(t, fmt.Sprintf("record.v%d.golden", recordVersion), goldenRecord(t, fullRecord()))
	})
}

// Every version that was ever written stays readable.
func TestGoldenFilesDecode(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(paths) < len(registry) {
		t.Fatalf("%d golden files for %d types: %v", len(paths), len(registry), err)
	}
	for _, path := range paths {
		if _, err := DecodeRecord(readGolden(t, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestGoldenJSON(t *testing.T) {
	for _, typ := range []Type{TypeTopicCreated, TypeSegmentAdded, TypePartitionAssigned, TypeOffsetCommitted, TypeConfigSet} {
		t.Run(typ.String(), func(t *testing.T) {
			var out bytes.Buffer
			for i := range 2 {
				view, err := json.MarshalIndent(recordOf(typ).View(i), "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&out, "%s\n", view)
			}
			checkGolden(t, typ.String()+".json", out.Bytes())
		})
	}
}
