package natsdial

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/metalog/metalog/events"
)

// Credentials say who connects, and how the connection is protected. The zero
// value is nobody, without TLS unless the server asks for it. Of CredsFile,
// NKeyFile and User at most one may be set.
//
// Files are read again with each attempt to connect, so a renewed credentials file
// or certificate counts from then on. A nkey has to stay the same.
type Credentials struct {
	CredsFile string // JWT and seed of a user, as 'nsc generate creds' writes them
	NKeyFile  string // seed of a user
	User      string
	Password  string // of User

	CertFile string // TLS client certificate, PEM
	KeyFile  string // its private key
	CAFile   string // who signs servers' certificates, PEM; default: those the system trusts
}

// None reports whether nothing is set.
func (c Credentials) None() bool { return c == Credentials{} }

// Options turns the credentials into options of a connection. It is ErrInvalid,
// naming the flag, when they don't fit each other or a file can't be used.
func (c Credentials) Options() ([]nats.Option, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	var opts []nats.Option
	switch {
	case c.CredsFile != "":
		opts = append(opts, nats.UserCredentials(c.CredsFile))
	case c.NKeyFile != "":
		nkey, err := nats.NkeyOptionFromSeed(c.NKeyFile)
		if err != nil {
			return nil, unusable("nkey", c.NKeyFile, err)
		}
		opts = append(opts, nkey)
	case c.User != "":
		opts = append(opts, nats.UserInfo(c.User, c.Password))
	}
	if c.CertFile != "" {
		opts = append(opts, nats.ClientCert(c.CertFile, c.KeyFile))
	}
	if c.CAFile != "" {
		opts = append(opts, nats.RootCAs(c.CAFile))
	}
	return opts, nil
}

func (c Credentials) check() error {
	identities := 0
	for _, s := range []string{c.CredsFile, c.NKeyFile, c.User} {
		if s != "" {
			identities++
		}
	}
	switch {
	case identities > 1:
		return events.Errorf(events.CodeInvalid, "--nats-creds, --nats-nkey and --nats-user exclude each other; give one")
	case c.Password != "" && c.User == "":
		return events.Errorf(events.CodeInvalid, "a NATS password without a user; give --nats-user, too")
	case c.User != "" && c.Password == "":
		return events.Errorf(events.CodeInvalid, "NATS user %q has no password; set METALOG_NATS_PASSWORD, or give --nats-password", c.User)
	case (c.CertFile == "") != (c.KeyFile == ""):
		return events.Errorf(events.CodeInvalid, "--nats-cert and --nats-key belong together; give both")
	}
	return errors.Join(
		usable("creds", c.CredsFile, checkCreds), usable("nkey", c.NKeyFile, checkSeed),
		c.checkCertificate(), usable("ca", c.CAFile, checkCA),
	)
}

// usable reads the file of a flag, if it is given, and checks what it holds.
func usable(flag, path string, check func([]byte) error) error {
	if path == "" {
		return nil
	}
	contents, err := os.ReadFile(path)
	if err == nil {
		err = check(contents)
		clear(contents)
	}
	if err != nil {
		return unusable(flag, path, err)
	}
	return nil
}

func unusable(flag, path string, err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return events.Errorf(events.CodeInvalid, "--nats-%s: %w", flag, err) // names the file
	}
	return events.Errorf(events.CodeInvalid, "--nats-%s: %s: %w", flag, path, err)
}

func checkCreds(contents []byte) error {
	token, err := nkeys.ParseDecoratedJWT(contents)
	if err == nil && !looksLikeJWT(token) {
		err = errors.New("no JWT in it")
	}
	if err == nil {
		err = checkSeed(contents)
	}
	if err != nil {
		return fmt.Errorf("%w; a credentials file is what 'nsc generate creds' writes", err)
	}
	return nil
}

// looksLikeJWT reports whether a text begins as every JWT does: base64 of {".
func looksLikeJWT(token string) bool { return len(token) > 3 && token[:3] == "eyJ" }

func checkSeed(contents []byte) error {
	pair, err := nkeys.ParseDecoratedUserNKey(contents)
	if err != nil {
		return fmt.Errorf("no seed of a user in it: %w", err)
	}
	pair.Wipe()
	return nil
}

func checkCA(contents []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(contents) {
		return errors.New("no certificate in PEM in it")
	}
	return nil
}

func (c Credentials) checkCertificate() error {
	if c.CertFile == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err != nil {
		return events.Errorf(events.CodeInvalid, "--nats-cert, --nats-key: %w", err)
	}
	return nil
}

// Exposed lists the files with secrets that others than their owner can read.
func (c Credentials) Exposed() []string {
	const others = 0o077
	var exposed []string
	for _, path := range []string{c.CredsFile, c.NKeyFile, c.KeyFile} {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&others != 0 {
			exposed = append(exposed, path)
		}
	}
	return exposed
}
