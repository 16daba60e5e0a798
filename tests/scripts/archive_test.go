package scripts

import (
	"context"
	"fmt"
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/s3test"
)

// segments PREFIX N creates N topics in a log of small segments, as one of many
// records would have large ones.
func segments(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	store, err := metalog.Open(ctx, metalog.Options{Path: ts.Getenv("METADATA_PATH"), SegmentSize: 2000, SweepInterval: -1})
	check(ts, err)
	for i := range number(ts, args[1]) {
		_, err := store.CreateTopic(ctx, metalog.CreateTopic{Name: fmt.Sprint(args[0], i), Partitions: 1, ReplicationFactor: 1})
		check(ts, err)
	}
	check(ts, store.Close())
}

// bucket PREFIX starts an S3-compatible server, and sets S3 to the location of an
// archive in it.
func bucket(ts *testscript.TestScript, _ bool, args []string) {
	server, err := s3test.Start()
	check(ts, err)
	ts.Defer(server.Close)
	ts.Setenv("S3", server.Location(args[0]))
	ts.Setenv("AWS_ACCESS_KEY_ID", s3test.AccessKey)
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
}

// await PATTERN ARG… runs a metalog command until it is done and its output matches.
func await(ts *testscript.TestScript, _ bool, args []string) {
	wanted := regexp.MustCompile(args[0])
	for range 1000 {
		if err := ts.Exec("metalog", args[1:]...); err == nil && wanted.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("%s never came", args[0])
}
