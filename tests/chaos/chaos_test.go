package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/publisher"
)

// part is a process.
type part struct {
	t      *testing.T
	config partConfig
	cmd    *exec.Cmd
	input  io.Closer
	stderr bytes.Buffer
}

func (p *part) start() {
	p.t.Helper()
	text, err := json.Marshal(p.config)
	if err != nil {
		p.t.Fatal(err)
	}
	p.stderr.Reset()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), partVariable+"="+string(text))
	p.cmd.Stderr = &p.stderr
	if p.input, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the process. It must not have ended by itself: a part works until
// then, whatever happens to the others.
func (p *part) kill() {
	p.t.Helper()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Error(err)
	}
	_ = p.cmd.Wait() // it was killed; how it ended is looked at next
	if p.cmd.ProcessState.Exited() {
		p.t.Errorf("%s ended by itself: %s\n%s", p.config.Role, p.cmd.ProcessState, tail(p.stderr.String(), 20))
	}
	p.cmd = nil
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// platform is all parts.
type platform struct {
	t     *testing.T
	parts map[string]*part
	names []string
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	p := &platform{t: t, parts: map[string]*part{}, names: []string{"nats", "store", "all", "offsets", "rare", "replica"}}
	for _, role := range p.names {
		p.parts[role] = &part{t: t, config: partConfig{Role: role, Dir: filepath.Join(dir, role), Port: port}}
		p.parts[role].start()
	}
	t.Cleanup(func() {
		for _, role := range slices.Backward(p.names) {
			p.parts[role].kill()
		}
	})
	return p
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// disturb is one round.
func (p *platform) disturb(rng *rand.Rand) string {
	switch rng.IntN(10) {
	case 0:
		return p.harmStream("purge", func(s jetstream.Stream) error { return s.Purge(p.t.Context()) })
	case 1:
		return p.harmStream("cut", func(s jetstream.Stream) error {
			state := s.CachedInfo().State
			return s.Purge(p.t.Context(), jetstream.WithPurgeSequence(state.FirstSeq+uint64(rng.Int64N(int64(state.Msgs)+1))))
		})
	}
	victims := rng.Perm(len(p.names))[:1+rng.IntN(2)]
	var killed []string
	for _, v := range victims {
		p.parts[p.names[v]].kill()
		killed = append(killed, p.names[v])
	}
	for _, v := range victims {
		p.parts[p.names[v]].start()
	}
	return "kill " + strings.Join(killed, " and ")
}

// harmStream does to the stream what only somebody else would.
func (p *platform) harmStream(how string, harm func(jetstream.Stream) error) string {
	js, err := p.parts["all"].config.connect()
	if err != nil {
		p.t.Fatal(err)
	}
	defer js.Conn().Close()
	stream, err := js.Stream(p.t.Context(), publisher.StreamName(cluster))
	if err == nil {
		err = harm(stream)
	}
	if err != nil {
		return fmt.Sprintf("%s: %v", how, err) // NATS was killed a moment ago
	}
	return how
}

// commandsARound are done between two rounds.
const commandsARound = 300

func TestChaos(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d, %d rounds", seed, rounds())
	rng := rand.New(rand.NewPCG(seed, 1))
	p := newPlatform(t)
	l := startLoad(t, p.parts["nats"].config.url(), seed)
	for round := range rounds() {
		for before := l.done.Load(); l.done.Load() < before+commandsARound; {
			time.Sleep(time.Millisecond)
		}
		t.Logf("round %d: %s", round, p.disturb(rng))
	}
	l.stop()
	head := lastRecord(t, l)
	log := logOf(t, l, head)
	t.Logf("%d commands, %d records, %d events", l.done.Load(), head.Seq, len(log))
	for role := range filters {
		p.checkSubscriber(role, log, head.Seq)
	}
	p.checkReplica(head)
}

// lastRecord appends a record that every filter finds, and returns the store's
// state behind it.
func lastRecord(t *testing.T, l *load) metalog.Info {
	t.Helper()
	l.mustDo(t, metalog.CreateTopic{Name: rareTopic, Partitions: 1, ReplicationFactor: 1}, events.CodeAlreadyExists)
	l.mustDo(t, metalog.CreateGroup{ID: "last"}, events.CodeAlreadyExists)
	l.mustDo(t, metalog.CommitOffsets{Group: "last", Offsets: []metalog.OffsetCommit{{Topic: rareTopic, Offset: 1}}}, "")
	l.mustDo(t, metalog.DeleteTopic{Name: rareTopic}, "")
	l.mustDo(t, metalog.CreateTopic{Name: rareTopic, Partitions: 1, ReplicationFactor: 1}, "")
	l.mustDo(t, metalog.CommitOffsets{Group: "last", Offsets: []metalog.OffsetCommit{{Topic: rareTopic, Offset: 2}}}, "")
	info, err := l.client.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// mustDo does a command, once there is a server; a refusal with code is as good.
func (l *load) mustDo(t *testing.T, cmd metalog.Command, code events.Code) {
	t.Helper()
	for {
		_, err := l.client.Execute(t.Context(), cmd, metalog.CommandOptions{})
		switch got := events.CodeOf(err); {
		case err == nil || got == code:
			return
		case got != events.CodeUnavailable && got != events.CodeOutcomeUnknown:
			t.Fatalf("%s: %v", cmd.Op(), err)
		}
		sleep(t.Context(), 5*time.Millisecond)
	}
}

func logOf(t *testing.T, l *load, head metalog.Info) (all []events.EventView) {
	t.Helper()
	for v, err := range l.client.Events(t.Context(), metalog.EventQuery{To: head.Seq}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// checkSubscriber lets a subscriber read to its end, and compares what it has
// stored with the log.
func (p *platform) checkSubscriber(role string, log []events.EventView, head uint64) {
	p.t.Helper()
	p.parts[role].kill()
	var want []string
	var last uint64
	for _, v := range log {
		if f := filters[role]; (f.Type == 0 || v.Type == f.Type.String()) && (f.ID == "" || v.Entity == events.EntityRef{Kind: f.Aggregate, ID: f.ID}) {
			text, err := json.Marshal(v)
			if err != nil {
				p.t.Fatal(err)
			}
			want, last = append(want, string(text)), v.Seq
		}
	}
	s, err := openSubscriber(p.parts[role].config)
	if err != nil {
		p.t.Fatal(err)
	}
	defer s.close()
	at, err := s.checkpoint()
	if err == nil && at.Next.Seq <= last {
		err = s.run(p.t.Context(), last)
	}
	if err != nil {
		p.t.Fatalf("%s: %v", role, err)
	}
	got, err := s.stored()
	if err != nil {
		p.t.Fatal(err)
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			p.t.Fatalf("%s: event %d of %d:\n got %s\nwant %s", role, i, len(want), got[i], want[i])
		}
	}
	if len(got) != len(want) || len(want) == 0 {
		p.t.Errorf("%s: %d events, want %d", role, len(got), len(want))
	}
	p.t.Logf("%s: %d events, each once and in order; the log's head is %d", role, len(got), head)
}

// checkReplica lets the replica come up to the store, and compares their views.
func (p *platform) checkReplica(head metalog.Info) {
	p.t.Helper()
	p.parts["replica"].kill()
	config := p.parts["replica"].config
	js, err := config.connect()
	if err != nil {
		p.t.Fatal(err)
	}
	defer js.Conn().Close()
	r, err := follow(p.t.Context(), config, js)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Close()
	if err := r.Wait(p.t.Context(), head.Seq); err != nil {
		p.t.Fatal(err)
	}
	at := r.Views().Checkpoint()
	if at.Head() != head.Head || at.Digest != head.Digest || at.Events != head.Events {
		p.t.Errorf("replica at %v, digest %s; store at %v, digest %s", at.Head(), at.Digest, head.Head, head.Digest)
	}
	p.t.Logf("replica: seq %d, digest %s", at.Seq, at.Digest)
}
