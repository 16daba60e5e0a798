package nats

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// writeSecret writes a file that only its owner can read.
func writeSecret(t *testing.T, name string, contents []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, contents, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newKey makes a key pair, and returns it with its public half and its seed.
func newKey(t *testing.T, make func() (nkeys.KeyPair, error)) (pair nkeys.KeyPair, public string, seed []byte) {
	t.Helper()
	pair, err := make()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	if seed, err = pair.Seed(); err != nil {
		t.Fatal(err)
	}
	return pair, public, seed
}

// operator is who signs accounts, with an account for the server itself and one
// for metalog.
type operator struct {
	claims   *jwt.OperatorClaims
	system   string // public key of an account
	resolver server.AccountResolver
	account  nkeys.KeyPair // that of metalog
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	signer, public, _ := newKey(t, nkeys.CreateOperator)
	o := &operator{claims: jwt.NewOperatorClaims(public), resolver: &server.MemAccResolver{}}
	o.claims.Name = "operator"
	_, o.system, _ = newKey(t, nkeys.CreateAccount)
	o.add(t, signer, o.system, nil)
	var account string
	o.account, account, _ = newKey(t, nkeys.CreateAccount)
	o.add(t, signer, account, func(c *jwt.AccountClaims) {
		c.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	})
	return o
}

// add has the server know an account.
func (o *operator) add(t *testing.T, signer nkeys.KeyPair, account string, change func(*jwt.AccountClaims)) {
	t.Helper()
	claims := jwt.NewAccountClaims(account)
	if change != nil {
		change(claims)
	}
	token, err := claims.Encode(signer)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.resolver.Store(account, token); err != nil {
		t.Fatal(err)
	}
}

// creds are the credentials of a new user, as nsc writes them.
func (o *operator) creds(t *testing.T, change func(*jwt.UserClaims)) []byte {
	t.Helper()
	_, public, seed := newKey(t, nkeys.CreateUser)
	claims := jwt.NewUserClaims(public)
	if change != nil {
		change(claims)
	}
	token, err := claims.Encode(o.account)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newECDSA(t)}
	template := certTemplate()
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func newECDSA(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "test"},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

// issue makes a certificate for this machine, and its key, as PEM.
func (a *authority) issue(t *testing.T) (cert, key []byte) {
	t.Helper()
	private := newECDSA(t)
	der, err := x509.CreateCertificate(rand.Reader, certTemplate(), a.cert, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// serverTLS is for a server that wants a certificate of every client.
func (a *authority) serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	pair, err := tls.X509KeyPair(a.issue(t))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
}
