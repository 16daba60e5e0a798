package natsdial

import (
	"net/url"
	"slices"
	"strings"

	"github.com/metalog/metalog/events"
)

// schemes are those that a server's address may have.
var schemes = []string{"nats", "tls", "ws", "wss"}

// Addresses checks one URL, or several with commas between them, of servers of
// one cluster. Without a scheme a URL is a nats:// one. What is wrong is
// ErrInvalid; the message holds no password.
func Addresses(list string) (string, error) {
	var checked []string
	for address := range strings.SplitSeq(list, ",") {
		address = strings.TrimSpace(address)
		if address == "" && list != "" && len(checked) > 0 {
			continue // a comma at the end
		}
		if !strings.Contains(address, "://") {
			address = "nats://" + address
		}
		u, err := url.Parse(address)
		switch {
		case err != nil || u.Hostname() == "":
			return "", events.Errorf(events.CodeInvalid, "NATS address %q can't be read; it is like nats://127.0.0.1:4222, several with commas between them", redacted(address))
		case !slices.Contains(schemes, u.Scheme):
			return "", events.Errorf(events.CodeInvalid, "NATS address %q: scheme %q is not known; use one of %s", redacted(address), u.Scheme, strings.Join(schemes, ", "))
		}
		checked = append(checked, address)
	}
	return strings.Join(checked, ","), nil
}

// Redacted is an address, or several, as logs and messages show them: without
// passwords.
func Redacted(list string) string {
	var shown []string
	for address := range strings.SplitSeq(list, ",") {
		shown = append(shown, redacted(address))
	}
	return strings.Join(shown, ",")
}

// redacted works on what is no URL, too: a password with a slash or a percent
// sign in it must not show because of that.
func redacted(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address
	}
	scheme, userInfo, found := strings.Cut(address[:at], "://")
	if !found {
		scheme, userInfo = "nats", address[:at]
	}
	const hidden = "xxxxx"
	if user, _, hasPassword := strings.Cut(userInfo, ":"); hasPassword {
		userInfo = user + ":" + hidden
	} else {
		userInfo = hidden // a token
	}
	return scheme + "://" + userInfo + "@" + address[at+1:]
}
