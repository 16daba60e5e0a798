package natsdial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog/events"
)

func TestAddresses(t *testing.T) {
	tests := []struct{ list, want string }{
		{"nats://a:1", "nats://a:1"},
		{"a", "nats://a"},
		{"a:1, tls://b ,", "nats://a:1,tls://b"},
		{"nats://u:p@a,wss://b/path", "nats://u:p@a,wss://b/path"},
		{"[::1]:4222", "nats://[::1]:4222"},
		{"", ""}, {",", ""}, {"http://a", ""}, {"nats://", ""}, {"nats://:4222", ""}, {"a:b:c", ""}, {"nats://a,ftp://b", ""},
	}
	for _, test := range tests {
		got, err := Addresses(test.list)
		if got != test.want || (err != nil) != (test.want == "") || err != nil && !errors.Is(err, events.ErrInvalid) {
			t.Errorf("%q: %q, %v, want %q", test.list, got, err, test.want)
		}
	}
}

func TestPasswordsDoNotShow(t *testing.T) {
	for list, want := range map[string]string{
		"nats://a:1":                   "nats://a:1",
		"nats://u:secret@a:1":          "nats://u:xxxxx@a:1",
		"nats://secret@a:1":            "nats://xxxxx@a:1",
		"u:secret@a":                   "nats://u:xxxxx@a",
		"nats://u:sec/ret%@a:1":        "nats://u:xxxxx@a:1",
		"tls://u:sec@ret@a,nats://b:2": "tls://u:xxxxx@a,nats://b:2",
	} {
		if got := Redacted(list); got != want {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
		if _, err := Addresses("http://a," + list + ",://"); strings.Contains(fmt.Sprint(err), "sec") {
			t.Errorf("%q: the password shows: %v", list, err)
		}
	}
	if _, err := Addresses("nats://u:sec%ret@a"); !errors.Is(err, events.ErrInvalid) || strings.Contains(err.Error(), "ret") {
		t.Errorf("%v: want invalid, without the password", err)
	}
}

func write(t *testing.T, name, contents string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := errors.Join(os.WriteFile(path, []byte(contents), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnusableCredentials(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	text := write(t, "text", "no key at all", 0o600)
	tests := []struct {
		name        string
		credentials Credentials
		says        string
	}{
		{"two identities", Credentials{CredsFile: text, NKeyFile: text}, "exclude each other"},
		{"an identity and a user", Credentials{NKeyFile: text, User: "u", Password: "p"}, "exclude each other"},
		{"a password alone", Credentials{Password: "p"}, "--nats-user"},
		{"a user alone", Credentials{User: "u"}, "METALOG_NATS_PASSWORD"},
		{"a certificate alone", Credentials{CertFile: text}, "--nats-key"},
		{"a key alone", Credentials{KeyFile: text}, "--nats-cert"},
		{"no creds file", Credentials{CredsFile: missing}, "--nats-creds: open " + missing},
		{"creds of text", Credentials{CredsFile: text}, "nsc generate creds"},
		{"no nkey file", Credentials{NKeyFile: missing}, missing},
		{"an nkey of text", Credentials{NKeyFile: text}, "seed"},
		{"an account's seed", Credentials{NKeyFile: write(t, "seed", "SAAMHHCSKFFRVBRYGWWQW43GVFMXTHMDVTXBGHBIATKTIFDIFUX63LBVXQ", 0o600)}, "seed"},
		{"no certificate", Credentials{CertFile: missing, KeyFile: text}, missing},
		{"a certificate of text", Credentials{CertFile: text, KeyFile: text}, "--nats-cert"},
		{"no CA file", Credentials{CAFile: missing}, missing},
		{"a CA of text", Credentials{CAFile: text}, "PEM"},
		{"a directory", Credentials{CAFile: t.TempDir()}, "--nats-ca"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.credentials.Options()
			if !errors.Is(err, events.ErrInvalid) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v: want invalid in a line that says %q", err, test.says)
			}
		})
	}
}

func TestExposed(t *testing.T) {
	open, closed := write(t, "open", "", 0o640), write(t, "closed", "", 0o600)
	got := Credentials{CredsFile: open, NKeyFile: closed, KeyFile: open, CertFile: open, CAFile: open}.Exposed()
	if !slices.Equal(got, []string{open, open}) {
		t.Errorf("exposed: %v, want creds and key", got)
	}
}

func TestPausesGrowToABound(t *testing.T) {
	last := time.Duration(0)
	for attempt := range 100 {
		p := pause(attempt)
		if p < last || p < minPause || p > maxPause {
			t.Errorf("attempt %d: %s after %s", attempt, p, last)
		}
		last = p
	}
	if last != maxPause {
		t.Errorf("at last %s, want %s", last, maxPause)
	}
}

func TestRefused(t *testing.T) {
	for _, err := range []error{nats.ErrAuthorization, fmt.Errorf("x: %w", nats.ErrAuthExpired), errors.New("nats: user authentication revoked"), nats.ErrSecureConnWanted} {
		if !Refused(err) {
			t.Errorf("%v is not taken for a refusal", err)
		}
	}
	for _, err := range []error{nil, nats.ErrNoServers, nats.ErrTimeout, io.EOF, nats.ErrMaxConnectionsExceeded} {
		if Refused(err) {
			t.Errorf("%v is taken for a refusal", err)
		}
	}
}

// A server that can't be reached is waited for until the context ends, which the
// first warning does here.
func TestDialWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	waited := 0
	d := Dialer{Address: "nats://u:secret@127.0.0.1:1", Logger: slog.New(slog.DiscardHandler), Waiting: func() { waited++; cancel() }}
	_, err := d.Dial(ctx, "test")
	if !errors.Is(err, events.ErrUnavailable) || waited != 1 || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v after %d times waiting", err, waited)
	}
	d.Once = true
	if _, err = d.Dial(t.Context(), "test"); !errors.Is(err, events.ErrUnavailable) || waited != 1 {
		t.Errorf("once: %v after %d times waiting", err, waited)
	}
}
