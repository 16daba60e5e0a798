package verify

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/mod/sumdb/note"

	"github.com/metalog/metalog/cmd/metalog/command"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"metalog": func() {
			os.Exit(command.Run(context.Background(), os.Args[1:], command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
		},
	})
}

// TestScripts runs the scripts in testdata, with these commands more:
//
//	status N ARGS…        runs metalog and wants the exit status N
//	flip FILE BYTE        changes one bit
//	setenv NAME REGEXP F  sets a variable to the group that REGEXP finds in a file
//	note FILE KEY         has the note package check a signed note
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("METADATA_PATH", filepath.Join(env.WorkDir, "data"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status": status, "flip": flip, "setenv": setenv, "note": checkNote,
		},
	})
}

func status(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("metalog", args[1:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || got != want {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

func flip(ts *testscript.TestScript, _ bool, args []string) {
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[at] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}

func setenv(ts *testscript.TestScript, _ bool, args []string) {
	match := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile(args[2]))
	if match == nil {
		ts.Fatalf("%s does not match %s", args[2], args[1])
	}
	ts.Setenv(args[0], match[1])
}

// checkNote checks a signed note as a tool would that does not know metalog.
func checkNote(ts *testscript.TestScript, _ bool, args []string) {
	key, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	verifier, err := note.NewVerifier(string(key[:len(key)-1]))
	ts.Check(err)
	_, err = note.Open([]byte(ts.ReadFile(args[0])), note.VerifierList(verifier))
	ts.Check(err)
}
