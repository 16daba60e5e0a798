package nats

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/metalog/metalog/cmd/metalog/command"
	"github.com/metalog/metalog/internal/natsserver"
)

// login is a way to log in to a server.
type login struct {
	name  string
	url   string
	right []string // flags that are let in
	// wrong are flags that are not, by what is wrong with them. Without any flags
	// nobody is let in either.
	wrong map[string][]string
}

// logins starts a server for each way to log in.
func logins(t *testing.T) []login {
	return []login{passwordLogin(t), nkeyLogin(t), credsLogin(t), certificateLogin(t)}
}

const rightPassword, wrongPassword = "right-and-secret", "wrong-and-secret"

func passwordLogin(t *testing.T) login {
	url := startFor(t, natsserver.Options{Auth: natsserver.Auth{User: "metalog", Password: rightPassword}})
	return login{"user and password", url, []string{"--nats-user", "metalog", "--nats-password", rightPassword}, map[string][]string{
		"password": {"--nats-user", "metalog", "--nats-password", wrongPassword},
		"user":     {"--nats-user", "nobody", "--nats-password", rightPassword},
	}}
}

func nkeyLogin(t *testing.T) login {
	_, public, seed := newKey(t, nkeys.CreateUser)
	_, _, other := newKey(t, nkeys.CreateUser)
	url := startFor(t, natsserver.Options{Auth: natsserver.Auth{NKeys: []string{public}}})
	return login{"nkey", url, []string{"--nats-nkey", writeSecret(t, "nkey", seed)}, map[string][]string{
		"key": {"--nats-nkey", writeSecret(t, "nkey", other)},
	}}
}

func credsLogin(t *testing.T) login {
	known, unknown := newOperator(t), newOperator(t)
	return login{"credentials file", startOperator(t, known), []string{"--nats-creds", writeSecret(t, "creds", known.creds(t, nil))}, map[string][]string{
		"operator": {"--nats-creds", writeSecret(t, "creds", unknown.creds(t, nil))},
		"date": {"--nats-creds", writeSecret(t, "creds", known.creds(t, func(c *jwt.UserClaims) {
			c.Expires = time.Now().Add(-time.Hour).Unix()
		}))},
	}}
}

func certificateLogin(t *testing.T) login {
	ca, other := newAuthority(t), newAuthority(t)
	url := startFor(t, natsserver.Options{TLS: ca.serverTLS(t)})
	flags := func(client, server *authority) []string {
		cert, key := client.issue(t)
		return []string{
			"--nats-cert", writeSecret(t, "cert.pem", cert), "--nats-key", writeSecret(t, "key.pem", key),
			"--nats-ca", writeSecret(t, "ca.pem", server.pem),
		}
	}
	return login{"client certificate", url, flags(ca, ca), map[string][]string{
		"client's authority": flags(other, ca),
		"server's authority": flags(ca, other),
		"lack of one":        {"--nats-ca", writeSecret(t, "ca.pem", ca.pem)},
	}}
}

func startFor(t *testing.T, opts natsserver.Options) string {
	t.Helper()
	opts.StoreDir, opts.Port = t.TempDir(), natsserver.RandomPort
	s := startNATS(t, opts)
	t.Cleanup(s.Shutdown)
	return s.ClientURL()
}

// startOperator starts a server that knows accounts by an operator's signature.
func startOperator(t *testing.T, o *operator) string {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		TrustedOperators: []*jwt.OperatorClaims{o.claims}, AccountResolver: o.resolver, SystemAccount: o.system,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server did not start")
	}
	return s.ClientURL()
}

// run runs the command line to its end.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, failure bytes.Buffer
	status = command.Run(ctx, args, command.Streams{In: strings.NewReader(""), Out: &out, Err: &failure})
	return status, out.String(), failure.String()
}

// serve runs a server until the test's end, and returns when it serves.
func serve(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	var failure bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- command.Run(ctx, append([]string{"serve", "--data", t.TempDir(), "--http", ""}, args...), command.Streams{Out: write, Err: &failure})
		write.Close()
	}()
	text, rest := make([]byte, 4096), &bytes.Buffer{}
	for !strings.Contains(rest.String(), "Stop it with Ctrl-C") {
		n, err := read.Read(text)
		rest.Write(text[:n])
		if err != nil {
			t.Fatalf("serve: status %d: %s", <-ended, failure.String())
		}
	}
	go io.Copy(io.Discard, read) //nolint:errcheck // until the server ends
	t.Cleanup(func() {
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("serve: status %d: %s", status, failure.String())
		}
	})
}

// TestLogins: who is let in serves and is served, publishing included, and nobody
// else; who is not let in is told so in one line, at once, without secrets.
func TestLogins(t *testing.T) {
	for _, login := range logins(t) {
		t.Run(login.name, func(t *testing.T) {
			serve(t, append([]string{"--nats", login.url}, login.right...)...)
			clients := append([]string{"--server", login.url}, login.right...)
			if status, _, stderr := run(t, slices.Concat(clients, []string{"topic", "create", "orders"})...); status != 0 {
				t.Fatalf("create: status %d: %s", status, stderr)
			}
			followThrough(t, clients)
			login.wrong["lack of all"] = nil
			for wrong, flags := range login.wrong {
				wantRefused(t, wrong, append([]string{"--server", login.url, "topic", "list"}, flags...))
				wantRefused(t, wrong, append([]string{"serve", "--data", t.TempDir(), "--http", "", "--nats", login.url}, flags...))
			}
		})
	}
}

// followThrough follows the events from before what there is, and has another one
// published once it does.
func followThrough(t *testing.T, flags []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	read, write := io.Pipe()
	var failure bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- command.Run(ctx, slices.Concat(flags, []string{"events", "tail", "--follow", "-o", "jsonl"}), command.Streams{Out: write, Err: &failure})
		write.Close()
	}()
	lines := bufio.NewScanner(read)
	for _, topic := range []string{"orders", "followed"} {
		if topic == "followed" { // what was there is read, now it follows the stream
			if status, _, stderr := run(t, slices.Concat(flags, []string{"topic", "create", topic})...); status != 0 {
				t.Errorf("create: status %d: %s", status, stderr)
			}
		}
		for !strings.Contains(lines.Text(), `"entity":"topic/`+topic) {
			if !lines.Scan() {
				t.Fatalf("tail: status %d: %s", <-ended, failure.String())
			}
		}
	}
	cancel()
	go io.Copy(io.Discard, read) //nolint:errcheck // until the command ends
	<-ended
}

func wantRefused(t *testing.T, wrong string, args []string) {
	t.Helper()
	status, _, stderr := run(t, args...)
	switch {
	case status != 1:
		t.Errorf("wrong by %s: status %d, want 1: %s", wrong, status, stderr)
	case strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "metalog: NATS at ") || !strings.Contains(stderr, "://127.0.0.1:") || !strings.Contains(stderr, "--nats-creds"):
		t.Errorf("wrong by %s: not one line with the way out: %q", wrong, stderr)
	}
	for _, secret := range []string{rightPassword, wrongPassword, "SU"} {
		if strings.Contains(stderr, secret) {
			t.Errorf("wrong by %s: the secret %q shows: %s", wrong, secret, stderr)
		}
	}
}

// A file with a secret that others can read works, and is complained of.
func TestExposedSecret(t *testing.T) {
	_, public, seed := newKey(t, nkeys.CreateUser)
	url := startFor(t, natsserver.Options{Auth: natsserver.Auth{NKeys: []string{public}}})
	path := filepath.Join(t.TempDir(), "nkey")
	if err := os.WriteFile(path, seed, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil { // whatever the umask
		t.Fatal(err)
	}
	status, _, stderr := run(t, "serve", "--check", "--data", t.TempDir(), "--http", "", "--nats", url, "--nats-nkey", path)
	if status != 0 || !strings.Contains(stderr, "chmod 600 "+path) {
		t.Errorf("status %d, %q: want 0 and a warning", status, stderr)
	}
}
