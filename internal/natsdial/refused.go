package natsdial

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/nats-io/nats.go"
)

// Refused reports whether an attempt to connect failed because of who asks or
// what the server shows of itself: the server does not take the credentials, one
// side does not trust the other's certificate, or one wants TLS and the other
// does not. Trying again as it is can't help. Anything else is a server that
// can't be reached, now.
func Refused(err error) bool {
	for _, refusal := range []error{
		nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired,
		nats.ErrSecureConnRequired, nats.ErrSecureConnWanted, nats.ErrNkeysNotSupported,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return refusedByTLS(err) || refusedInWords(err)
}

func refusedByTLS(err error) bool {
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}

// refusedInWords finds what the server says and nats.go gives no error of its
// own to, and alerts of TLS, which keep their type only on this side. With TLS 1.3 a
// client may be done before the server finds fault with its certificate, and see
// no more of that than the end of the connection.
func refusedInWords(err error) bool {
	if err == nil {
		return false
	}
	text := strings.ToLower(err.Error())
	for _, words := range []string{"authorization violation", "authentication expired", "authentication revoked", "remote error: tls:", "closed by remote after tls handshake"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}
