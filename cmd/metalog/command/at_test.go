package command

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// atArgs are the arguments to each of viewCommands, that fillForAt fills a store
// for.
var atArgs = map[string][]string{
	"info": {}, "export": {},
	"topic list": {}, "topic describe": {"orders"},
	"segment list": {"orders"}, "segment describe": {"orders", "s1"}, "segment find": {"orders", "0", "5"},
	"broker list": {}, "broker describe": {"1"},
	"partition list": {"orders"}, "partition describe": {"orders", "0"}, "partition leader": {"orders", "0"},
	"partition replicas": {"orders", "0"}, "partition watermark": {"orders", "0"},
	"group list": {}, "group describe": {"billing"},
	"offset list": {"billing"}, "offset list-topic": {"orders"}, "offset describe": {"billing", "orders", "0"},
	"config list": {}, "config describe": {"cluster"},
	"txn list": {}, "txn describe": {"tx"},
	"blame": {"topic/orders"},
}

// fillForAt makes one of everything, emptyForAt takes it away.
func fillForAt(t *testing.T, s metalog.MetadataStore) {
	t.Helper()
	producer := metalog.Producer{TransactionalID: "tx", ProducerID: 0, ProducerEpoch: 0}
	for _, cmd := range []metalog.Command{
		metalog.RegisterBroker{ID: 1, Host: "h", Port: 9092},
		metalog.CreateTopic{Name: "orders", Partitions: 2, ReplicationFactor: 1, Assignments: []metalog.TopicAssignment{{Replicas: events.BrokerIDs{1}}, {Replicas: events.BrokerIDs{1}}}},
		metalog.AddSegment{Topic: "orders", SegmentInfo: metalog.SegmentInfo{ID: "s1", EndOffset: 9}},
		metalog.CreateGroup{ID: "billing"},
		metalog.CommitOffsets{Group: "billing", Offsets: []metalog.OffsetCommit{{Topic: "orders", Offset: 5}}},
		metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindCluster}, Config: events.Config{"a": "1"}},
		metalog.AllocateProducerIDs{Count: 10},
		metalog.BeginTransaction{Producer: producer},
	} {
		mustExecute(t, s, cmd)
	}
}

func emptyForAt(t *testing.T, s metalog.MetadataStore) {
	t.Helper()
	for _, cmd := range []metalog.Command{
		metalog.AbortTransaction{Producer: metalog.Producer{TransactionalID: "tx"}},
		metalog.DeleteTopic{Name: "orders"},
		metalog.DeleteGroup{ID: "billing"},
		metalog.RemoveBroker{ID: 1, Force: true},
		metalog.DeleteConfig{Scope: events.EntityRef{Kind: events.KindCluster}},
	} {
		mustExecute(t, s, cmd)
	}
}

func mustExecute(t *testing.T, s metalog.MetadataStore, cmd metalog.Command) {
	t.Helper()
	if result, err := s.Execute(t.Context(), cmd, metalog.CommandOptions{}); err != nil || result.Unchanged {
		t.Fatalf("%s: %+v, %v", cmd.Op(), result, err)
	}
}

// runAt runs a command line.
func runAt(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, failure bytes.Buffer
	status = Run(t.Context(), args, Streams{In: strings.NewReader(""), Out: &out, Err: &failure})
	return status, out.String(), failure.String()
}

// Each command that takes --at prints with it, in every format, what it printed
// then, and says which record that was. So it does through a server.
func TestAtPrintsWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	printed := map[string]string{}
	withStore(t, dir, func(s metalog.MetadataStore) { fillForAt(t, s) })
	line := atLines(t, printed, "--data", dir)
	withStore(t, dir, func(s metalog.MetadataStore) { emptyForAt(t, s) })
	checkAtLines(t, printed, line, "--data", dir)

	s := startServer(t)
	server := []string{"--server", s.nats.ClientURL(), "--cluster", "test"}
	printed = map[string]string{}
	fillForAt(t, s.store)
	line = atLines(t, printed, server...)
	emptyForAt(t, s.store)
	checkAtLines(t, printed, line, server...)
}

func withStore(t *testing.T, dir string, body func(metalog.MetadataStore)) {
	t.Helper()
	s, err := metalog.Open(t.Context(), metalog.Options{Path: dir, SweepInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	body(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// eachAt runs body with each command that takes --at, in two formats.
func eachAt(t *testing.T, global []string, body func(name string, args []string)) {
	t.Helper()
	for _, path := range viewCommands {
		args, ok := atArgs[path]
		if !ok {
			t.Errorf("%s: the test does not know its arguments", path)
			continue
		}
		for _, format := range []string{"table", "json"} {
			body(path+" "+format, slices.Concat(global, strings.Fields(path), args, []string{"-o", format}))
		}
	}
}

// atLines keeps what the commands print now, and returns the line that --at has to
// say of this state.
func atLines(t *testing.T, printed map[string]string, global ...string) (line string) {
	t.Helper()
	eachAt(t, global, func(name string, args []string) {
		status, stdout, stderr := runAt(t, args...)
		if status != exitDone || stdout == "" {
			t.Fatalf("%s: %d, %q, %q", name, status, stdout, stderr)
		}
		printed[name] = stdout
	})
	status, _, stderr := runAt(t, slices.Concat(global, []string{"info", "--at", "now"})...)
	if status != exitDone || !strings.HasPrefix(stderr, "as of seq ") {
		t.Fatalf("info --at now: %d, %q", status, stderr)
	}
	return stderr
}

func checkAtLines(t *testing.T, printed map[string]string, line string, global ...string) {
	t.Helper()
	seq, _, _ := strings.Cut(strings.TrimPrefix(line, "as of seq "), ",")
	eachAt(t, global, func(name string, args []string) {
		status, stdout, stderr := runAt(t, append(args, "--at", seq)...)
		if strings.HasPrefix(name, "export") { // it says so in its first line
			stderr = line
		}
		if strings.HasPrefix(name, "info") { // it tells of files as well
			stdout, _, _ = strings.Cut(stdout, "checkpoint")
			printed[name], _, _ = strings.Cut(printed[name], "checkpoint")
		}
		if status != exitDone || stdout != printed[name] || !strings.HasPrefix(stderr, line) {
			t.Errorf("%s: %d\n%s%s\nand it was\n%s%s", name, status, stdout, stderr, printed[name], line)
		}
	})
}

// Every other command refuses --at.
func TestAtIsNotIgnored(t *testing.T) {
	a := &app{err: io.Discard}
	var taken []string
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			walk(child)
		}
		if !cmd.Runnable() {
			return
		}
		if err := cmd.ParseFlags([]string{"--at", "1"}); err != nil {
			t.Fatalf("%s: %v", pathOf(cmd), err)
		}
		if a.checkAt(cmd) == nil {
			taken = append(taken, pathOf(cmd))
		}
	}
	walk(a.root())
	slices.Sort(taken)
	if want := slices.Sorted(slices.Values(viewCommands)); !slices.Equal(taken, want) {
		t.Errorf("--at is taken by %v, want %v", taken, want)
	}
}

func TestAtOnWrites(t *testing.T) {
	dir := t.TempDir()
	withStore(t, dir, func(s metalog.MetadataStore) { fillForAt(t, s) })
	for _, args := range [][]string{
		{"topic", "create", "a", "--at", "2"},
		{"--at", "2", "topic", "create", "a"},
		{"topic", "delete", "orders", "--dry-run", "--at", "-2h"},
		{"partition", "leader", "orders", "0", "--elect", "1", "--at=2"},
		{"partition", "watermark", "orders", "0", "--high", "3", "--at", "now"},
		{"events", "list", "--at", "2"}, {"events", "tail", "--at", "2"}, {"verify", "--at", "2"},
		{"topic", "list", "--at", "tomorrow"}, {"topic", "list", "--at", "0"}, {"topic", "list", "--at", ""},
	} {
		status, stdout, stderr := runAt(t, append([]string{"--data", dir}, args...)...)
		if status != exitUsage || stdout != "" || !strings.Contains(stderr, "--at") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: %d, %q, %q", args, status, stdout, stderr)
		}
	}
	withStore(t, dir, func(s metalog.MetadataStore) {
		if info, err := s.Info(t.Context()); err != nil || info.Seq != 9 {
			t.Errorf("something was written: %+v, %v", info, err)
		}
	})
}
