package inbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
)

// The headers of an answer that comes in parts.
const (
	HeaderPart = "Metalog-Part" // 0, 1, …
	HeaderMore = "Metalog-More" // "true": another part follows
)

// ErrClosed is told to who waits for an answer when inbox or connection is closed.
var ErrClosed = errors.New("the connection was closed before the answer came")

// errLostPart is an answer that is not whole.
type errLostPart int

func (part errLostPart) Error() string {
	return fmt.Sprintf("part %d of the answer was lost", int(part))
}

// LostPart reports whether an error is of an answer of which a part is missing.
func LostPart(err error) bool {
	_, lost := errors.AsType[errLostPart](err)
	return lost
}

// Inbox receives answers. All methods are safe for concurrent use.
type Inbox struct {
	nc           *nats.Conn
	prefix       string // of the subjects of answers
	subscription *nats.Subscription

	mu      sync.Mutex
	closed  bool
	last    uint64               // number of a request
	waiting map[string]*expected // by the last token of its subject
}

// expected is an answer that has not come, or not all of it.
type expected struct {
	part int // that comes next
	tell func(part *nats.Msg, more bool, err error)
}

// Open makes an inbox.
func Open(nc *nats.Conn) (*Inbox, error) {
	in := &Inbox{nc: nc, prefix: nc.NewInbox() + ".", waiting: map[string]*expected{}}
	var err error
	if in.subscription, err = nc.Subscribe(in.prefix+"*", in.receive); err != nil {
		return nil, err
	}
	in.subscription.SetClosedHandler(func(string) { in.end() })
	// Nothing is dropped: receive waits for nobody, and what comes was asked for.
	return in, in.subscription.SetPendingLimits(-1, -1)
}

// Close ends the subscription, and what is waited for with ErrClosed.
func (in *Inbox) Close() error {
	err := in.subscription.Unsubscribe()
	in.end()
	return err
}

// end tells all who wait that no answer will come.
func (in *Inbox) end() {
	in.mu.Lock()
	waiting := in.waiting
	in.closed, in.waiting = true, nil
	in.mu.Unlock()
	for _, e := range waiting {
		e.tell(nil, false, ErrClosed)
	}
}

// Send sends a request. When it returns no error, done is called once: with the
// whole answer, which has the headers of its last part, or with why none comes. It
// is called where all answers are received, so it must not wait. When Send returns
// an error nothing was sent, but for what the connection's own errors leave open.
//
// forget makes that done will not be called, and reports whether it wasn't.
func (in *Inbox) Send(msg *nats.Msg, done func(*nats.Msg, error)) (forget func() bool, err error) {
	var body []byte
	return in.send(msg, func(part *nats.Msg, more bool, err error) {
		switch {
		case err != nil:
			done(nil, err)
		case more:
			body = append(body, part.Data...)
		default:
			if body != nil {
				part.Data = append(body, part.Data...)
			}
			done(part, nil)
		}
	})
}

// send sends a request of whose answer each part is told, as Send does of the whole.
func (in *Inbox) send(msg *nats.Msg, tell func(part *nats.Msg, more bool, err error)) (forget func() bool, err error) {
	token, err := in.expect(tell)
	if err != nil {
		return nil, err
	}
	forget = func() bool { return in.take(token) != nil }
	msg.Reply = in.prefix + token
	if err := in.nc.PublishMsg(msg); err != nil && forget() {
		return nil, err
	}
	return forget, nil
}

func (in *Inbox) expect(tell func(*nats.Msg, bool, error)) (token string, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return "", nats.ErrConnectionClosed
	}
	in.last++
	token = strconv.FormatUint(in.last, 36)
	in.waiting[token] = &expected{tell: tell}
	return token, nil
}

// take ends the wait for an answer. It returns nil when it has ended before.
func (in *Inbox) take(token string) *expected {
	in.mu.Lock()
	defer in.mu.Unlock()
	e := in.waiting[token]
	delete(in.waiting, token)
	return e
}

// Ask sends a request and waits for the whole answer.
func (in *Inbox) Ask(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	type reply struct {
		answer *nats.Msg
		err    error
	}
	replies := make(chan reply, 1)
	forget, err := in.Send(msg, func(answer *nats.Msg, err error) { replies <- reply{answer, err} })
	if err != nil {
		return nil, err
	}
	select {
	case r := <-replies:
		return r.answer, r.err
	case <-ctx.Done():
		forget()
		return nil, ctx.Err()
	}
}

// receive takes one message.
func (in *Inbox) receive(msg *nats.Msg) {
	token := msg.Subject[len(in.prefix):]
	in.mu.Lock()
	e := in.waiting[token]
	in.mu.Unlock()
	if e == nil {
		return // whoever waited has given up
	}
	more, err := e.next(msg) // only here: messages come one after the other
	if more || in.take(token) != nil {
		e.tell(msg, more, err)
	}
}

// noResponders is the status of a reply that the NATS server itself sends.
const noResponders = "503"

// next takes the next part of an answer, and reports whether more of it follow.
func (e *expected) next(msg *nats.Msg) (more bool, err error) {
	if len(msg.Data) == 0 && msg.Header.Get("Status") == noResponders {
		return false, nats.ErrNoResponders
	}
	if n := msg.Header.Get(HeaderPart); n != "" && n != strconv.Itoa(e.part) {
		return false, errLostPart(e.part)
	}
	e.part++
	return msg.Header.Get(HeaderMore) != "", nil
}
