package examples

import (
	"bytes"
	"go/build"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/publisher"
)

var natsVersion = regexp.MustCompile(`(?m)^nats=\S+@(\S+)`)

// natsCommand finds the stock command line of NATS: what .ci/run has built, or what
// is on the path.
func natsCommand(t *testing.T) string {
	t.Helper()
	version := natsVersion.FindStringSubmatch(read(t, "../../.ci/run"))
	if version == nil {
		t.Fatal(".ci/run names no version of nats")
	}
	for _, name := range []string{filepath.Join(filepath.SplitList(build.Default.GOPATH)[0], "bin", "nats-"+version[1]), "nats"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("SKIPPED: the nats command is not tested: it is not there; .ci/run builds %s", version[1])
	return ""
}

// TestNATSCommandShowsReadableMessages looks at a server as docs/subscribing.md says.
func TestNATSCommandShowsReadableMessages(t *testing.T) {
	command := natsCommand(t)
	w := newWorld(t, publisher.JSON)
	api, err := service.Start(w.store.Store, w.js.Conn(), service.Options{Cluster: cluster})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close(t.Context())
	w.awaitPublished()
	info := w.openStream().CachedInfo()
	all := strconv.FormatUint(info.State.Msgs, 10)
	const created = `"type":"TopicCreated"`
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"all messages", []string{"sub", "--stream", w.streamName(), "--all", "--count", all}, []string{"Metalog-Seq: 2", created, `"entity":"topic/orders.v1"`, `"payload":{"name":"orders.v1"`}},
		{"all about a topic", []string{"sub", "metalog.default.events.topic.orders=2Ev1.>", "--stream", w.streamName(), "--all", "--count", "1"}, []string{created, `"entity":"topic/orders.v1"`}},
		{"one message", []string{"stream", "get", w.streamName(), "2"}, []string{"on Subject metalog.default.events.topic.orders=2Ev1.TopicCreated", created}},
		{"the stream", []string{"stream", "info", w.streamName()}, []string{"metalog_log_id: " + w.store.MustInfo().LogID.String()}},
		{"a request", []string{"req", "metalog.default.api.topic.get", `{"name":"orders.v1"}`}, []string{`"name":"orders.v1"`, `"partitions":8`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			run := exec.CommandContext(t.Context(), command, append([]string{"--server", w.server.ClientURL(), "--no-context"}, test.args...)...)
			var out bytes.Buffer
			run.Stdout, run.Stderr = &out, &out
			if err := run.Run(); err != nil {
				t.Fatalf("nats %s: %v\n%s", strings.Join(test.args, " "), err, out.String())
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("nats %s does not show %s:\n%s", strings.Join(test.args, " "), want, out.String())
				}
			}
		})
	}
}
