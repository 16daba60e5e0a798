package publisher

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"github.com/metalog/metalog/events"
)

// hostileNames are legal group ids that would break a subject as they are, or
// look like what Escape makes of another one.
func hostileNames() []string {
	names := []string{
		" ", "  ", ".", "..", "a.b", "a..b", ".a", "a.", ">", "*", "a.*", "a.>", "*.>", "_", "=", "==", "=H", "=2E", "=3D", "=3D2E",
		"$SYS", "$JS.API.STREAM.PURGE.METALOG_test", "_INBOX.x", "metalog.test.events.group.x.GroupCreated",
		"\x00", "a\x00", "\r\n", "a\r\nPUB x 1\r\n", "\t", "\x1b[2J", "\x7f", "\u0085", "\u00a0", "\u2028", "\ufeffa", "a",
		"é", "e\u0301", "日本語", "🙂", "\ufffd", `"`, `\`, "%2E", "+", "/", "A", "ａ",
	}
	for _, length := range []int{255, 256, 511, 512, 513, 1023, 1024} {
		names = append(names, strings.Repeat("x", length), strings.Repeat("x", length-1)+"y", strings.Repeat(".", length))
	}
	names = append(names, strings.Repeat(".", 170), strings.Repeat(".", 171), strings.Repeat("é", 512))
	for _, name := range names[:len(names):len(names)] {
		if token := Escape(name); token != name && len(token) <= 1024 {
			names = append(names, token) // as an id of its own
		}
	}
	return distinct(names)
}

// hostileBytes are ids of any bytes, legal or not: each single byte, and what is
// no UTF-8 or longer than a group id may be.
func hostileBytes() []string {
	ids := append(hostileNames(), "", "\xff\xfe", "\xc3", "\xed\xa0\x80", strings.Repeat("\xff", 1024), strings.Repeat("z", 1025), strings.Repeat("\x00", 1<<16))
	for b := range 256 {
		ids = append(ids, string([]byte{byte(b)}), string([]byte{'a', byte(b), 'b'}))
	}
	return distinct(ids)
}

func distinct(ids []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, id := range ids {
		if !seen[id] {
			out = append(out, id)
		}
		seen[id] = true
	}
	return out
}

// checkToken holds Escape to its promises for one id.
func checkToken(t interface{ Fatalf(string, ...any) }, id string) {
	token := Escape(id)
	if token == "" || len(token) > MaxTokenBytes {
		t.Fatalf("Escape(%.40q) has %d bytes", id, len(token))
	}
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c >= 0x7f || c == '.' || c == '*' || c == '>' {
			t.Fatalf("Escape(%.40q) = %q: byte %d has no place in a token", id, token, i)
		}
	}
	back, err := Unescape(token)
	if hashed := strings.HasPrefix(token, "=H"); hashed != (escapedBytes(id) > MaxTokenBytes) {
		t.Fatalf("Escape(%.40q) = %q, of an id that takes %d bytes", id, token, escapedBytes(id))
	} else if hashed && err == nil {
		t.Fatalf("Unescape(%q) = %.40q, of a hash", token, back)
	} else if !hashed && (err != nil || back != id) {
		t.Fatalf("Unescape(%q) = %q, %v, want %q", token, back, err, id)
	}
}

// escapedBytes counts what the rule in docs/subscribing.md comes to, in its own
// way.
func escapedBytes(id string) int {
	n := 0
	for _, c := range []byte(id) {
		if strings.IndexByte(".*>=", c) >= 0 || c < 0x21 || c > 0x7e {
			n += 2
		}
		n++
	}
	return n
}

func TestEscapeIsReversibleAndBounded(t *testing.T) {
	hostile := hostileBytes()
	for _, id := range hostile {
		checkToken(t, id)
	}
	part := rapid.OneOf(
		rapid.SampledFrom(hostile),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 600), func(b []byte) string { return string(b) }),
		rapid.StringMatching(`[a-zA-Z0-9._-]{1,249}`), // a topic's name
		rapid.StringMatching(`-?[0-9]{1,19}`),         // a broker's or producer's id
	)
	rapid.Check(t, func(t *rapid.T) {
		checkToken(t, strings.Join(rapid.SliceOfN(part, 0, 4).Draw(t, "parts"), ""))
	})
}

// Two ids never share a token: not among the hostile ones, nor when one is
// another changed a little, cut, or escaped once more.
func TestEscapeIsInjective(t *testing.T) {
	ids := map[string]string{} // by token
	for _, id := range hostileBytes() {
		token := Escape(id)
		if other, taken := ids[token]; taken {
			t.Fatalf("%.40q and %.40q have the token %q", id, other, token)
		}
		ids[token] = id
	}
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(rapid.Byte(), 1, 1100).Draw(t, "a")
		at := rapid.IntRange(0, len(a)-1).Draw(t, "at")
		changed := append([]byte(nil), a...)
		changed[at] ^= rapid.ByteRange(1, 255).Draw(t, "change")
		for _, b := range []string{string(changed), string(a[:at]), string(a) + "\x00", Escape(string(a)) + "=", escapeBytes(string(a)) + "x"} {
			if b != string(a) && Escape(b) == Escape(string(a)) {
				t.Fatalf("%.40q and %.40q have the token %q", a, b, Escape(b))
			}
		}
	})
}

// Through a real server, a subscription to an id gets the messages of that id
// alone, whatever bytes it has; those with wildcards get all.
func TestAnyBytesMakeOneSubject(t *testing.T) {
	conn := newServer(t).connect().Conn()
	ids := hostileBytes()
	subscribe := func(f Filter) *nats.Subscription {
		subject, err := f.Subject(testCluster)
		if err != nil {
			t.Fatal(err)
		}
		sub, err := conn.SubscribeSync(subject)
		if err != nil {
			t.Fatal(err)
		}
		return sub
	}
	exact := make([]*nats.Subscription, len(ids))
	for i, id := range ids {
		if id != "" { // no legal id; as a filter it selects all
			exact[i] = subscribe(Filter{Aggregate: events.KindGroup, ID: id})
		}
	}
	all, none := subscribe(Filter{Aggregate: events.KindGroup}), subscribe(Filter{Aggregate: events.KindTopic})
	for _, id := range ids {
		subject := Subject(testCluster, events.EntityRef{Kind: events.KindGroup, ID: id}, events.TypeGroupCreated)
		if err := conn.Publish(subject, []byte(id)); err != nil {
			t.Fatalf("%.40q: %v", id, err)
		}
	}
	if err := conn.Flush(); err != nil { // the server has sent what it had to before it answers
		t.Fatal(err)
	}
	for i, sub := range exact {
		if sub != nil {
			wantPayloads(t, sub, ids[i])
		}
	}
	wantPayloads(t, all, ids...)
	wantPayloads(t, none)
}

// wantPayloads checks what a subscription has received.
func wantPayloads(t *testing.T, sub *nats.Subscription, want ...string) {
	t.Helper()
	if n, _, err := sub.Pending(); err != nil || n != len(want) {
		t.Fatalf("%.80s: %d messages (%v), want %d", sub.Subject, n, err, len(want))
	}
	for _, payload := range want {
		m, err := sub.NextMsgWithContext(t.Context())
		if err != nil || string(m.Data) != payload {
			t.Fatalf("%.80s: %.40q, %v, want %.40q", sub.Subject, m.Data, err, payload)
		}
	}
}

// Events about hostile ids reach the subscriber of each, with the true id in the
// payload, in both encodings.
func TestHostileIDsReachTheirSubscribers(t *testing.T) {
	for _, encoding := range []Encoding{JSON, CBOR} {
		t.Run(string(encoding), func(t *testing.T) {
			js, log, options := newServer(t).connect(), newMemLog(), testOptions()
			names := hostileNames()
			for range 2 { // so that each id's events stand among those of all others
				for _, name := range names {
					log.append(name, plain(&events.GroupCreated{GroupRef: events.GroupRef{ID: name, GroupID: 1}}))
				}
			}
			options.Encoding = encoding
			publishAll(t, log, js, options)
			for _, name := range names {
				want := selected(log, func(v events.EventView) bool { return v.Entity.ID == name })
				sameEvents(t, collect(t, js, SubscribeOptions{Filter: Filter{Aggregate: events.KindGroup, ID: name}}, 2), want)
			}
			everything := collect(t, js, SubscribeOptions{Filter: Filter{Aggregate: events.KindGroup, Type: events.TypeGroupCreated}}, 2*len(names))
			sameEvents(t, everything, logEvents(log))
		})
	}
}
