package scripts

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/metalog/metalog/cmd/metalog/command"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"metalog": func() {
			os.Exit(command.Run(context.Background(), os.Args[1:], command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("METADATA_PATH", env.WorkDir+"/data")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each command ends a second late under the race detector
			env.Values[serverKey{}] = &runningServer{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":      exits,
			"refused":    refused,
			"fields":     fields,
			"count":      count,
			"sameevents": sameEvents,
			"timeof":     timeOf,
			"longline":   longLine,
			"readme":     readme,
			"damage":     damage,
			"withoutids": withoutIDs,
			"cutlines":   cutLines,
			"segments":   segments,
			"bucket":     bucket,
			"await":      await,
			"serve":      serve,
			"stop":       stop,
		},
	})
}
