package natsserver

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog/events"
)

const (
	// DefaultHost keeps the server on this machine.
	DefaultHost = "127.0.0.1"
	// DefaultPort is that of every NATS server.
	DefaultPort = 4222
	// RandomPort has the system choose a free port.
	RandomPort = server.RANDOM_PORT

	// maxPayload admits the largest event in JSON: 512 KiB of which each byte is
	// escaped as six.
	maxPayload = 4 << 20

	startTimeout = 30 * time.Second // recovery of a large store included
	startPoll    = 10 * time.Millisecond
	tlsTimeout   = 5 * time.Second // of a handshake
)

// Auth tells who may connect. The zero value lets everyone in, which is allowed
// on a loopback address only. Set User and Password, or Token, or NKeys.
type Auth struct {
	User     string
	Password string
	Token    string
	NKeys    []string // public nkeys of users
}

func (a Auth) none() bool {
	return a.User == "" && a.Password == "" && a.Token == "" && len(a.NKeys) == 0
}

func (a Auth) check() error {
	if (a.User == "") != (a.Password == "") {
		return events.Errorf(events.CodeInvalid, "nats server: a user needs a password and a password a user; set both")
	}
	if a.User != "" && a.Token != "" {
		return events.Errorf(events.CodeInvalid, "nats server: user %q and a token exclude each other; set one", a.User)
	}
	if len(a.NKeys) > 0 && a.Token != "" {
		return events.Errorf(events.CodeInvalid, "nats server: nkeys and a token exclude each other; set one")
	}
	return nil
}

// Cluster makes a server one of several that keep streams together. Its routes
// have no authentication: they listen on loopback.
type Cluster struct {
	Name   string
	Port   int      // for the other servers, on loopback
	Routes []string // URLs of the others, such as nats://127.0.0.1:6222
}

// Options configure a server. Only StoreDir is required, unless it has no
// JetStream.
type Options struct {
	StoreDir   string // of JetStream; created when missing
	Host       string // default DefaultHost
	Port       int    // default DefaultPort; RandomPort for any free one
	ServerName string // default: a random one; required in a cluster
	MaxStore   int64  // bytes on disk; default: three quarters of what is free
	Auth       Auth
	// TLS, if not nil, is required of clients; with ClientCAs and ClientAuth, so
	// are their certificates. Connections in process go without.
	TLS         *tls.Config
	Cluster     *Cluster     // nil: a server on its own
	NoJetStream bool         // carries messages only
	Logger      *slog.Logger // default slog.Default
}

// Server is a running NATS server.
type Server struct {
	nats *server.Server
	auth Auth
}

// Start runs a server and returns when it accepts connections. The caller owns
// the server and must shut it down; ctx bounds the start only.
func Start(ctx context.Context, opts Options) (*Server, error) {
	opts.Host = cmp.Or(opts.Host, DefaultHost)
	opts.Port = cmp.Or(opts.Port, DefaultPort)
	if err := opts.check(); err != nil {
		return nil, err
	}
	address := net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port))
	log := &logger{out: cmp.Or(opts.Logger, slog.Default()).With("component", "nats")}
	ns, err := server.NewServer(opts.native())
	if err != nil {
		return nil, events.Errorf(events.CodeInvalid, "nats server on %s: %w", address, err)
	}
	ns.SetLogger(log, false, false)
	s := &Server{nats: ns, auth: opts.Auth}
	ns.Start()
	if err := s.waitReady(ctx, log, address); err != nil {
		s.Shutdown()
		return nil, err
	}
	return s, nil
}

func (o Options) check() error {
	if o.StoreDir == "" && !o.NoJetStream {
		return events.Errorf(events.CodeInvalid, "nats server: no store directory is set")
	}
	if err := o.Auth.check(); err != nil {
		return err
	}
	if o.Cluster != nil && (o.ServerName == "" || o.Cluster.Name == "" || o.Cluster.Port <= 0) {
		return events.Errorf(events.CodeInvalid, "nats server: in a cluster it needs a server name, the cluster's name and a port for the others; set them")
	}
	if o.Auth.none() && !isLoopback(o.Host) {
		return events.Errorf(events.CodeForbidden, "nats server: %s can be reached from other machines; set a user and password or a token, or listen on %s", o.Host, DefaultHost)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (o Options) native() *server.Options {
	native := &server.Options{
		ServerName:             o.ServerName,
		Host:                   o.Host,
		Port:                   o.Port,
		Username:               o.Auth.User,
		Password:               o.Auth.Password,
		Authorization:          o.Auth.Token,
		JetStream:              !o.NoJetStream,
		StoreDir:               o.StoreDir,
		JetStreamMaxStore:      o.MaxStore,
		MaxPayload:             maxPayload,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
	}
	o.Auth.addKeys(native)
	if o.TLS != nil {
		native.TLSConfig, native.TLS, native.TLSVerify = o.TLS, true, o.TLS.ClientAuth == tls.RequireAndVerifyClientCert
		native.TLSTimeout = tlsTimeout.Seconds()
	}
	if o.Cluster != nil {
		o.Cluster.join(native)
	}
	return native
}

// addKeys lets users in by their keys. Once there is a list of users, the server
// looks at nothing else.
func (a Auth) addKeys(native *server.Options) {
	for _, key := range a.NKeys {
		native.Nkeys = append(native.Nkeys, &server.NkeyUser{Nkey: key})
	}
	if len(a.NKeys) > 0 && a.User != "" {
		native.Users = []*server.User{{Username: a.User, Password: a.Password}}
		native.Username, native.Password = "", ""
	}
}

func (c *Cluster) join(native *server.Options) {
	native.Cluster = server.ClusterOpts{Name: c.Name, Host: DefaultHost, Port: c.Port}
	if len(c.Routes) > 0 {
		native.Routes = server.RoutesFromStr(strings.Join(c.Routes, ","))
	}
}

// waitReady polls, since the server offers no channel that tells of both
// outcomes.
func (s *Server) waitReady(ctx context.Context, log *logger, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if line := log.fatalLine(); line != "" {
			return events.Errorf(events.CodeUnavailable, "nats server on %s: %s; free the port or choose another, or check the store directory", address, line)
		}
		if s.nats.ReadyForConnections(startPoll) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return events.Errorf(events.CodeUnavailable, "nats server on %s is not ready: %w", address, err)
		}
	}
}

// ClientURL returns the URL at which other processes reach the server. It holds
// no credentials.
func (s *Server) ClientURL() string { return s.nats.ClientURL() }

// ConnectOptions returns the options with which this process connects: without
// the network, and authenticated; with NKeys alone the caller adds its own.
func (s *Server) ConnectOptions() []nats.Option {
	opts := []nats.Option{nats.InProcessServer(s.nats)}
	switch {
	case s.auth.Token != "":
		opts = append(opts, nats.Token(s.auth.Token))
	case s.auth.User != "":
		opts = append(opts, nats.UserInfo(s.auth.User, s.auth.Password))
	}
	return opts
}

// Shutdown stops the server and waits until its store is closed.
func (s *Server) Shutdown() {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
}
