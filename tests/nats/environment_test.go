package nats

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/internal/natsserver"
)

// environment is NATS as a test finds it, and as it can fail.
type environment interface {
	// urls are those of all its servers.
	urls() string
	replicas() int // of a stream
	// fail takes a server away: the one that leads the stream when leader is set
	// and there are several.
	fail(t *testing.T, stream string, leader bool)
	// failAll takes so many away that nothing is stored any more.
	failAll(t *testing.T)
	// mend brings back all that was taken away.
	mend(t *testing.T)
}

// environments are all that the contract is held against.
var environments = []struct {
	name   string
	rounds int // of failures, in the quick form
	start  func(t *testing.T) environment
}{
	{"in process", 2, startInProcess},
	{"a process that is killed", 2, startProcess},
	{"a cluster of three", 2, startCluster},
}

// connect connects with quick reconnects and without a word about failures.
func connect(t *testing.T, urls string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(urls, append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// askAgain is after what time a request is taken for lost, as it may be when a
// node goes: less than NATS's own five seconds, which are long in a test.
const askAgain = time.Second

func connectJS(t *testing.T, env environment) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(connect(t, env.urls()), jetstream.WithDefaultTimeout(askAgain))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func startNATS(t *testing.T, opts natsserver.Options) *natsserver.Server {
	t.Helper()
	opts.Logger = quiet
	server, err := natsserver.Start(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// inProcess is a server in this process, as the embedded one is.
type inProcess struct {
	opts   natsserver.Options
	server *natsserver.Server // nil: taken away
	url    string
}

func startInProcess(t *testing.T) environment {
	e := &inProcess{opts: natsserver.Options{StoreDir: t.TempDir(), Port: natsserver.RandomPort}}
	e.server = startNATS(t, e.opts)
	e.url = e.server.ClientURL()
	e.opts.Port = portOf(t, e.url)
	t.Cleanup(func() { e.failAll(t) })
	return e
}

func (e *inProcess) urls() string                        { return e.url }
func (e *inProcess) replicas() int                       { return 1 }
func (e *inProcess) fail(t *testing.T, _ string, _ bool) { e.failAll(t) }

func (e *inProcess) failAll(*testing.T) {
	if e.server != nil {
		e.server.Shutdown()
		e.server = nil
	}
}

func (e *inProcess) mend(t *testing.T) {
	if e.server == nil {
		e.server = startNATS(t, e.opts)
	}
}

// process is a server in a process of its own, which is killed.
type process struct {
	config childConfig
	child  *child // nil: killed
	url    string
}

func startProcess(t *testing.T) environment {
	e := &process{config: childConfig{StoreDir: t.TempDir(), Port: natsserver.RandomPort}}
	e.child = startChild(t, e.config)
	e.url = e.child.url
	e.config.Port = portOf(t, e.url)
	t.Cleanup(func() { e.failAll(t) })
	return e
}

func (e *process) urls() string                        { return e.url }
func (e *process) replicas() int                       { return 1 }
func (e *process) fail(t *testing.T, _ string, _ bool) { e.failAll(t) }

func (e *process) failAll(*testing.T) {
	if e.child != nil {
		e.child.kill()
		e.child = nil
	}
}

func (e *process) mend(t *testing.T) {
	if e.child == nil {
		e.child = startChild(t, e.config)
	}
}

// cluster is three servers, of which each stream has a replica.
type cluster struct {
	opts  [3]natsserver.Options
	nodes [3]*natsserver.Server // nil: taken away
	addrs [3]string
}

func startCluster(t *testing.T) environment {
	e := &cluster{}
	ports := freePorts(t, len(e.nodes))
	var routes []string
	for _, port := range ports {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	for i := range e.nodes {
		e.opts[i] = natsserver.Options{
			StoreDir: t.TempDir(), Port: natsserver.RandomPort, ServerName: nodeName(i),
			Cluster: &natsserver.Cluster{Name: "metalog", Port: ports[i], Routes: routes},
		}
		e.nodes[i] = startNATS(t, e.opts[i])
		e.addrs[i] = e.nodes[i].ClientURL()
		e.opts[i].Port = portOf(t, e.addrs[i])
	}
	t.Cleanup(func() {
		for i := range e.nodes {
			e.stop(i)
		}
	})
	e.awaitLeader(t)
	return e
}

func nodeName(i int) string { return fmt.Sprintf("node-%d", i) }

// freePorts finds ports that nobody listens on.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// awaitLeader returns when the nodes have chosen who answers for streams: a
// request is then answered and not left without an answer.
func (e *cluster) awaitLeader(t *testing.T) {
	t.Helper()
	js, err := jetstream.New(connect(t, e.urls()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		asking, done := context.WithTimeout(ctx, askAgain)
		_, err := js.AccountInfo(asking)
		done()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the cluster has no leader: %v", err)
		}
	}
}

func (e *cluster) urls() string  { return strings.Join(e.addrs[:], ",") }
func (e *cluster) replicas() int { return len(e.nodes) }

func (e *cluster) fail(t *testing.T, stream string, leader bool) {
	t.Helper()
	leads := e.leaderOf(t, stream)
	if !leader {
		leads = (leads + 1) % len(e.nodes)
	}
	e.stop(leads)
}

// leaderOf finds the node that leads a stream.
func (e *cluster) leaderOf(t *testing.T, name string) int {
	t.Helper()
	nc := connect(t, e.urls())
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		asking, done := context.WithTimeout(ctx, askAgain)
		stream, err := js.Stream(asking, name)
		done()
		if err == nil && stream.CachedInfo().Cluster != nil {
			for i := range e.nodes {
				if stream.CachedInfo().Cluster.Leader == nodeName(i) && e.nodes[i] != nil {
					return i
				}
			}
		}
		if ctx.Err() != nil {
			t.Fatalf("stream %s has no leader: %v", name, err)
		}
	}
}

func (e *cluster) failAll(t *testing.T) {
	for i := range e.nodes {
		e.stop(i)
	}
}

func (e *cluster) stop(i int) {
	if e.nodes[i] != nil {
		e.nodes[i].Shutdown()
		e.nodes[i] = nil
	}
}

func (e *cluster) mend(t *testing.T) {
	for i := range e.nodes {
		if e.nodes[i] == nil {
			e.nodes[i] = startNATS(t, e.opts[i])
		}
	}
	e.awaitLeader(t)
}
