package command

import (
	"os"

	"github.com/nats-io/nats.go"
	"github.com/spf13/pflag"

	"github.com/metalog/metalog/internal/natsdial"
)

// natsFlags are the global flags that say who connects to NATS. A flag counts
// more than the environment.
func (a *app) natsFlags(f *pflag.FlagSet) {
	c := &a.nats
	f.StringVar(&c.CredsFile, "nats-creds", "", "credentials `file` for NATS (environment METALOG_NATS_CREDS)")
	f.StringVar(&c.NKeyFile, "nats-nkey", "", "`file` with the nkey seed for NATS (environment METALOG_NATS_NKEY)")
	f.StringVar(&c.User, "nats-user", "", "`user` for NATS (environment METALOG_NATS_USER)")
	f.StringVar(&c.Password, "nats-password", "", "`password` of that user (environment METALOG_NATS_PASSWORD, which others can't see)")
	f.StringVar(&c.CertFile, "nats-cert", "", "`file` with the TLS client certificate for NATS (environment METALOG_NATS_CERT)")
	f.StringVar(&c.KeyFile, "nats-key", "", "`file` with its private key (environment METALOG_NATS_KEY)")
	f.StringVar(&c.CAFile, "nats-ca", "", "`file` with the CA that signed the NATS server's certificate (environment METALOG_NATS_CA)")
}

// natsCredentials are what flags and environment say. When the flags name who
// connects, the environment's own idea of that is left out.
func (a *app) natsCredentials() natsdial.Credentials {
	c := a.nats
	if c.CredsFile == "" && c.NKeyFile == "" && c.User == "" {
		c.CredsFile = os.Getenv("METALOG_NATS_CREDS")
		c.NKeyFile = os.Getenv("METALOG_NATS_NKEY")
		c.User = os.Getenv("METALOG_NATS_USER")
	}
	if c.User != "" && c.Password == "" {
		c.Password = os.Getenv("METALOG_NATS_PASSWORD")
	}
	if c.CertFile == "" && c.KeyFile == "" {
		c.CertFile, c.KeyFile = os.Getenv("METALOG_NATS_CERT"), os.Getenv("METALOG_NATS_KEY")
	}
	if c.CAFile == "" {
		c.CAFile = os.Getenv("METALOG_NATS_CA")
	}
	return c
}

// natsOptions are those of every connection to a server that is not in process.
// Secrets that others can read are complained of.
func (a *app) natsOptions() ([]nats.Option, error) {
	c := a.natsCredentials()
	opts, err := c.Options()
	if err != nil {
		return nil, usageError{err}
	}
	for _, path := range c.Exposed() {
		a.complain("warning: %s holds a secret and others can read it; chmod 600 %[1]s", path)
	}
	return opts, nil
}

// natsAddress checks the URL that a flag gives.
func natsAddress(flag, url string) (string, error) {
	address, err := natsdial.Addresses(url)
	if err != nil {
		return "", usagef("%s: %w", flag, err)
	}
	return address, nil
}
