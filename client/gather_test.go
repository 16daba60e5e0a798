package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/internal/wire"
)

const commitOp = "offset.commit"

// gate holds up commits in the store until it is opened.
type gate struct{ open chan struct{} }

func (g gate) throttle(ctx context.Context) error {
	select {
	case <-g.open:
	case <-ctx.Done():
	}
	return nil
}

// held is a server whose commits wait, and a client that has learned that the server
// takes batches and has as many messages under way as it may: what comes next
// gathers.
type held struct {
	*client.Client
	gate
	store  *metalog.Store
	server *natsserver.Server
	first  chan error // of the commits under way
}

const heldGroups = 40

func holdUp(t *testing.T, opts client.Options) *held {
	t.Helper()
	h := &held{gate: gate{make(chan struct{})}, first: make(chan error, 2)}
	var err error
	if h.store, err = metalog.Open(t.Context(), metalog.Options{Path: t.TempDir(), SweepInterval: -1, Throttle: h.throttle}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.store.Close() })
	h.server = startNATS(t)
	serve(t, h.store, h.server, service.Options{})
	h.Client = connect(t, h.server, opts)
	h.SetPatience(time.Hour)
	if _, err := h.CreateTopic(t.Context(), metalog.CreateTopic{Name: "orders", Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	for i := range heldGroups {
		if _, err := h.CreateGroup(t.Context(), metalog.CreateGroup{ID: fmt.Sprint("group", i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range cap(h.first) {
		go func() {
			_, err := h.CommitOffsets(t.Context(), commitOf(fmt.Sprint("group", heldGroups-1-i), 1))
			h.first <- err
		}()
		await(func() bool { waiting, underWay := h.Gathered(commitOp); return waiting == 0 && underWay == i+1 })
	}
	return h
}

// await waits until something has happened.
func await(happened func() bool) {
	for !happened() {
		runtime.Gosched()
	}
}

// gathered waits until so many commits have gathered.
func (h *held) gathered(n int) {
	await(func() bool { waiting, _ := h.Gathered(commitOp); return waiting == n })
}

// release lets all go on, and wants the first ones done.
func (h *held) release(t *testing.T) {
	t.Helper()
	close(h.open)
	for range cap(h.first) {
		if err := <-h.first; err != nil {
			t.Error(err)
		}
	}
}

func commitOf(group string, offset int64) metalog.CommitOffsets {
	return metalog.CommitOffsets{Group: group, Offsets: []metalog.OffsetCommit{{Topic: "orders", Offset: offset}}}
}

// batches counts the messages of an operation that are batches, and the commands in
// them.
func batches(t *testing.T, server *natsserver.Server, op string) (count func() (messages, commands int)) {
	t.Helper()
	nc := connectNATS(t, server)
	var messages, commands atomic.Int64
	if _, err := nc.Subscribe(wire.Subject(wire.DefaultCluster, op), func(m *nats.Msg) {
		if n, err := strconv.Atoi(m.Header.Get(wire.HeaderBatch)); err == nil {
			messages.Add(1)
			commands.Add(int64(n))
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return func() (int, int) {
		if err := nc.Flush(); err != nil {
			t.Error(err)
		}
		delivered := make(chan struct{})
		if err := nc.Barrier(func() { close(delivered) }); err != nil {
			t.Fatal(err)
		}
		<-delivered
		return int(messages.Load()), int(commands.Load())
	}
}

// TestGatheredCommandsHaveTheirOwnOutcomes sends commands in one message: each caller
// gets what it would get alone.
func TestGatheredCommandsHaveTheirOwnOutcomes(t *testing.T) {
	h := holdUp(t, client.Options{Actor: "the client"})
	count := batches(t, h.server, commitOp)
	ids := func(id string) metalog.CommandOption { return metalog.WithCommandID(id) }
	cases := []struct {
		cmd      metalog.CommitOffsets
		opts     []metalog.CommandOption
		code     events.Code
		message  string
		repeated bool
	}{
		{cmd: commitOf("group0", 7)},
		{cmd: commitOf("nobody", 1), code: events.CodeNotFound, message: `group "nobody"`},
		{cmd: metalog.CommitOffsets{Group: "group1"}, code: events.CodeInvalid, message: "offsets: is missing"},
		{cmd: commitOf("group2", 1), opts: []metalog.CommandOption{metalog.IfRevision(5)}, code: events.CodeConflict, message: "revision 5"},
		{cmd: commitOf("group3", 2), opts: []metalog.CommandOption{metalog.IfRevision(0)}},
		{cmd: commitOf("group4", 3), opts: []metalog.CommandOption{ids("id 1%/é")}},
		{cmd: commitOf("group4", 3), opts: []metalog.CommandOption{ids("id 1%/é")}, repeated: true},
		{cmd: commitOf("group5", 3), opts: []metalog.CommandOption{ids("id 1%/é")}, code: events.CodeConflict, message: "was used for another command"},
		{cmd: commitOf("group5", 4), opts: []metalog.CommandOption{ids("id 1%/é"), metalog.WithActor("other"), metalog.WithReason("new\nway"), metalog.WithCause(events.Position{Seq: 2})}},
		{cmd: commitOf("group\xff", 1), code: events.CodeInvalid, message: "UTF-8"},
		{cmd: commitOf("group6", 1), opts: []metalog.CommandOption{metalog.WithReason("\xff")}, code: events.CodeInvalid, message: "UTF-8"},
		{cmd: commitOf("group7", 1), opts: []metalog.CommandOption{ids(strings.Repeat("x", 200))}, code: events.CodeInvalid, message: "command_id"},
		{cmd: commitOf("group8", 8)},
	}
	outcomes := make([]metalog.Outcome, len(cases))
	var all sync.WaitGroup
	for i, c := range cases {
		all.Go(func() { outcomes[i].Result, outcomes[i].Err = h.CommitOffsets(t.Context(), c.cmd, c.opts...) })
		h.gathered(i + 1) // in this order
	}
	h.release(t)
	all.Wait()
	if messages, commands := count(); messages != 1 || commands != len(cases) {
		t.Errorf("%d messages with %d commands, want one with %d", messages, commands, len(cases))
	}
	last := uint64(0)
	for i, c := range cases {
		got, err := outcomes[i].Result, outcomes[i].Err
		if codeOf(err) != c.code || !strings.Contains(text(err), c.message) {
			t.Errorf("command %d: error %v, want %q with %q", i, err, c.code, c.message)
			continue
		}
		if err != nil {
			continue
		}
		if got.Repeated != c.repeated || got.Events != 1 || !c.repeated && got.Seq <= last {
			t.Errorf("command %d: %+v after seq %d", i, got, last)
		}
		last = got.Seq
		offset, err := h.GetOffset(t.Context(), c.cmd.Group, "orders", 0)
		if err != nil || offset.Offset != c.cmd.Offsets[0].Offset {
			t.Errorf("command %d: %+v, %v", i, offset, err)
		}
	}
	h.checkRecord(t, outcomes[0].Result.Seq, events.Meta{Actor: "the client"})
	h.checkRecord(t, outcomes[8].Result.Seq, events.Meta{Actor: "other", CommandID: "id 1%/é", Reason: "new\nway", Cause: &events.Position{Seq: 2}})
}

// checkRecord checks what a record says of its command, but for the hash.
func (h *held) checkRecord(t *testing.T, seq uint64, want events.Meta) {
	t.Helper()
	for rec, err := range h.store.Log().Records(t.Context(), seq) {
		if err != nil {
			t.Fatal(err)
		}
		got := rec.Meta
		got.CommandHash = nil
		if encoded(t, got) != encoded(t, want) {
			t.Errorf("seq %d: %s, want %s", seq, encoded(t, got), encoded(t, want))
		}
		return
	}
}

// inBatches is a client whose commands each go in a batch of their own.
type inBatches struct {
	*client.Client
	metalog.Commands
}

func (c inBatches) Execute(ctx context.Context, cmd metalog.Command, opts metalog.CommandOptions) (metalog.Result, error) {
	return c.ExecuteInBatch(ctx, cmd, opts)
}

// TestEachCommandInABatch gives a store and a client that uses batches the same
// commands, and wants the same answers and errors.
func TestEachCommandInABatch(t *testing.T) {
	local, remote := openStore(t), openStore(t)
	server := startNATS(t)
	serve(t, remote, server, service.Options{})
	c := inBatches{Client: connect(t, server, client.Options{})}
	c.Commands = metalog.Commands{Executor: c}
	for _, s := range writes {
		wanted, wantedErr := s.call(t.Context(), local)
		got, err := s.call(t.Context(), c)
		if codeOf(err) != s.code || s.code != events.CodeInvalid && text(err) != text(wantedErr) {
			t.Errorf("%s: error %v (%s), want %v", s.name, err, codeOf(err), wantedErr)
		}
		if got, wanted := encoded(t, got), encoded(t, wanted); err == nil && got != wanted {
			t.Errorf("%s: answer\n%s, want\n%s", s.name, got, wanted)
		}
	}
}

// TestGatheredCallersGiveUp: one whose command was not sent knows it, one whose
// command was does not know what became of it, and the others go on.
func TestGatheredCallersGiveUp(t *testing.T) {
	h := holdUp(t, client.Options{})
	commit := func(ctx context.Context, group int) chan error {
		done := make(chan error, 1)
		waiting, _ := h.Gathered(commitOp)
		go func() {
			_, err := h.CommitOffsets(ctx, commitOf(fmt.Sprint("group", group), 9))
			done <- err
		}()
		h.gathered(waiting + 1)
		return done
	}
	ctx, cancel := context.WithCancel(t.Context())
	unsent, stays := commit(ctx, 0), commit(t.Context(), 1)
	cancel()
	if err := <-unsent; !errors.Is(err, metalog.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("not sent: error %v, want unavailable", err)
	}
	h.release(t)
	if err := <-stays; err != nil {
		t.Errorf("the one that stayed: %v", err)
	}
	if _, err := h.GetOffset(t.Context(), "group0", "orders", 0); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("the offset of the one that gave up: %v, want not found", err)
	}
}

// silent is a server that takes batches, answers what comes alone, and is silent
// about batches.
type silent struct {
	batches chan *nats.Msg
	deaf    atomic.Bool  // to what comes alone, too
	unheard atomic.Int64 // commands that were not answered
}

func serveSilence(t *testing.T, server *natsserver.Server) *silent {
	t.Helper()
	s := &silent{batches: make(chan *nats.Msg, 1000)}
	respond(t, server, func(m *nats.Msg) {
		if n, err := strconv.Atoi(m.Header.Get(wire.HeaderBatch)); err == nil {
			s.unheard.Add(int64(n))
			s.batches <- m
			return
		}
		if s.deaf.Load() {
			s.unheard.Add(1)
			return
		}
		if err := m.RespondMsg(&nats.Msg{Header: wire.BatchHeader(100), Data: []byte(`{"seq":1,"time":"2026-01-02T03:04:05Z","events":1}`)}); err != nil {
			t.Error(err)
		}
	})
	return s
}

// learn has the client learn what the server takes.
func learn(t *testing.T, c *client.Client) {
	t.Helper()
	if _, err := c.CommitOffsets(t.Context(), commitOf("g", 1)); err != nil {
		t.Fatal(err)
	}
}

// many commits from many goroutines until each was told something, and returns what.
func many(ctx context.Context, c *client.Client, goroutines int) []error {
	errs := make([]error, goroutines)
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			for errs[i] == nil {
				_, errs[i] = c.CommitOffsets(ctx, commitOf(fmt.Sprint("group", i), 1))
			}
		})
	}
	all.Wait()
	return errs
}

// TestLostAnswer: answers never come. The callers end with their contexts, and do not
// know what became of their commands; what comes meanwhile does not wait for them.
func TestLostAnswer(t *testing.T) {
	server := startNATS(t)
	silence := serveSilence(t, server)
	c := connect(t, server, client.Options{})
	c.SetPatience(time.Microsecond)
	learn(t, c)
	silence.deaf.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan []error)
	const callers = 32
	go func() { ended <- many(ctx, c, callers) }()
	await(func() bool { return silence.unheard.Load() == callers })
	silence.deaf.Store(false)
	learn(t, c)
	cancel()
	for _, err := range <-ended {
		if !errors.Is(err, metalog.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want outcome unknown", err)
		}
	}
	if waiting, underWay := c.Gathered(commitOp); waiting != 0 || underWay != 0 {
		t.Errorf("%d commands still wait, %d messages are still under way", waiting, underWay)
	}
	learn(t, c)
}

// TestUnreadableBatchAnswer: nobody knows what became of the commands.
func TestUnreadableBatchAnswer(t *testing.T) {
	short, err := wire.EncodeOutcomes(make([]metalog.Outcome, 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{"nonsense": []byte("<html>"), "too few outcomes": short} {
		server := startNATS(t)
		sent := serveSilence(t, server).batches
		c := connect(t, server, client.Options{})
		learn(t, c)
		stop := make(chan struct{})
		var answering sync.WaitGroup
		answering.Go(func() {
			for {
				select {
				case m := <-sent:
					m.RespondMsg(&nats.Msg{Header: wire.BatchHeader(100), Data: body})
				case <-stop:
					return
				}
			}
		})
		for _, err := range many(t.Context(), c, 2) {
			if !errors.Is(err, metalog.ErrOutcomeUnknown) {
				t.Errorf("%s: error %v, want outcome unknown", name, err)
			}
		}
		close(stop)
		answering.Wait()
	}
}

// TestServerWithoutBatches: when one that takes none takes the place of one that
// did, what was sent in a batch is sent again, command by command, and no batch
// follows.
func TestServerWithoutBatches(t *testing.T) {
	server := startNATS(t)
	var refused atomic.Int64
	respond(t, server, func(m *nats.Msg) {
		answer := &nats.Msg{Header: nats.Header{}, Data: []byte(`{"seq":1,"time":"2026-01-02T03:04:05Z","events":1}`)}
		if !json.Valid(m.Data) {
			refused.Add(1)
			answer.Header.Set(micro.ErrorCodeHeader, "invalid")
			answer.Data = []byte(`{"code":"invalid","message":"not a JSON object"}`)
		} else if refused.Load() == 0 {
			answer.Header = wire.BatchHeader(100)
		}
		if err := m.RespondMsg(answer); err != nil {
			t.Error(err)
		}
	})
	c := connect(t, server, client.Options{})
	learn(t, c)
	commitUntil := func(enough func() bool) {
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				for done := false; !done; done = enough() {
					if _, err := c.CommitOffsets(t.Context(), commitOf("g", 1)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	commitUntil(func() bool { return refused.Load() > 0 })
	learn(t, c)
	before := refused.Load()
	commitUntil(func() bool { return true })
	if after := refused.Load(); after != before {
		t.Errorf("%d batches went to a server that takes none", after-before)
	}
}

// TestTooLargeToGather goes alone, and does not hurt those that gather.
func TestTooLargeToGather(t *testing.T) {
	h := holdUp(t, client.Options{})
	small := make(chan error)
	go func() {
		_, err := h.CommitOffsets(t.Context(), commitOf("group0", 5))
		small <- err
	}()
	h.gathered(1)
	for name, size := range map[string]int{"for the store": metalog.MaxCommandBytes + 1, "for NATS": int(h.Conn().MaxPayload()) + 1} {
		cmd := commitOf("group1", 5)
		cmd.MemberID = strings.Repeat("m", size)
		if _, err := h.CommitOffsets(t.Context(), cmd); !errors.Is(err, metalog.ErrTooLarge) {
			t.Errorf("%s: error %.100v, want too large", name, err)
		}
	}
	h.release(t)
	if err := <-small; err != nil {
		t.Error(err)
	}
}

// TestBatchesAreBounded: what is more than one message holds goes in several.
func TestBatchesAreBounded(t *testing.T) {
	h := holdUp(t, client.Options{})
	var largest atomic.Int64
	if _, err := connectNATS(t, h.server).Subscribe(wire.Subject(wire.DefaultCluster, commitOp), func(m *nats.Msg) {
		largest.Store(max(largest.Load(), int64(len(m.Data))))
	}); err != nil {
		t.Fatal(err)
	}
	errs := make([]error, heldGroups-2)
	var all sync.WaitGroup
	for i := range errs {
		cmd := metalog.CommitOffsets{Group: fmt.Sprint("group", i)}
		for range 6 { // 24 KiB
			cmd.Offsets = append(cmd.Offsets, metalog.OffsetCommit{Topic: "orders", Offset: 1, Metadata: strings.Repeat("m", metalog.MaxMetadataBytes)})
		}
		all.Go(func() { _, errs[i] = h.CommitOffsets(t.Context(), cmd) })
	}
	h.gathered(len(errs))
	count := batches(t, h.server, commitOp)
	h.release(t)
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("command %d: %v", i, err)
		}
	}
	if messages, commands := count(); messages < 3 || commands > len(errs) || largest.Load() > 300<<10 {
		t.Errorf("%d messages with %d of %d commands, of up to %d bytes", messages, commands, len(errs), largest.Load())
	}
}

// TestOrderOfOneCaller: while others commit as well, what one caller does comes in
// its order, and nothing is lost or done twice.
func TestOrderOfOneCaller(t *testing.T) {
	store := openStore(t)
	server := startNATS(t)
	var observed atomic.Int64
	serve(t, store, server, service.Options{MaxConcurrent: 7, Observe: func(op string, code events.Code, _ time.Duration) {
		if op == commitOp && code == "" {
			observed.Add(1)
		}
	}})
	c := connect(t, server, client.Options{})
	if _, err := c.CreateTopic(t.Context(), metalog.CreateTopic{Name: "orders", Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	count := batches(t, server, commitOp)
	const callers, commits = 32, 30
	var all sync.WaitGroup
	for i := range callers {
		group := fmt.Sprint("group", i)
		if _, err := c.CreateGroup(t.Context(), metalog.CreateGroup{ID: group}); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			last := uint64(0)
			for n := range commits {
				result, err := c.CommitOffsets(t.Context(), commitOf(group, int64(n)))
				if err != nil || result.Seq <= last {
					t.Errorf("%s, commit %d: %+v after seq %d, %v", group, n, result, last, err)
				}
				last = result.Seq
			}
			if offset, err := c.GetOffset(t.Context(), group, "orders", 0); err != nil || offset.Offset != commits-1 || offset.Revision != last {
				t.Errorf("%s: %+v, %v, want the offset of seq %d", group, offset, err, last)
			}
		})
	}
	all.Wait()
	if observed.Load() != callers*commits {
		t.Errorf("%d commits were observed, want %d", observed.Load(), callers*commits)
	}
	if messages, commands := count(); messages == 0 || commands > 7*messages {
		t.Errorf("%d commands in %d batches, of which each may have 7", commands, messages)
	}
}

// TestServerClosesAmidBatches: what was answered is in the log, and nothing else
// is.
func TestServerClosesAmidBatches(t *testing.T) {
	store := openStore(t)
	server := startNATS(t)
	api, err := service.Start(store, connectNATS(t, server), service.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, server, client.Options{})
	if _, err := c.CreateTopic(t.Context(), metalog.CreateTopic{Name: "orders", Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	const callers = 32
	for i := range callers {
		if _, err := c.CreateGroup(t.Context(), metalog.CreateGroup{ID: fmt.Sprint("group", i)}); err != nil {
			t.Fatal(err)
		}
	}
	before := store.Log().Head().Seq
	var done atomic.Uint64
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for n := int64(0); ; n++ {
				_, err := c.CommitOffsets(t.Context(), commitOf(fmt.Sprint("group", i), n))
				if err == nil {
					done.Add(1)
					continue
				}
				if !errors.Is(err, metalog.ErrUnavailable) {
					t.Errorf("error %v, want unavailable", err)
				}
				return
			}
		})
	}
	await(func() bool { return done.Load() > 1000 })
	if err := api.Close(t.Context()); err != nil {
		t.Error(err)
	}
	all.Wait()
	if written := store.Log().Head().Seq - before; written != done.Load() {
		t.Errorf("%d commits were answered, %d are in the log", done.Load(), written)
	}
}

// TestPermissionsHoldForBatches: who may only commit offsets does that, in batches
// too, and nothing else.
func TestPermissionsHoldForBatches(t *testing.T) {
	nats1, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, Users: []*server.User{
		{Username: "server", Password: "s"},
		{Username: "consumer", Password: "c", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{"metalog.*.api.offset.commit"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	nats1.Start()
	t.Cleanup(func() { nats1.Shutdown(); nats1.WaitForShutdown() })
	nc, err := nats.Connect(nats1.ClientURL(), nats.UserInfo("server", "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	store := openStore(t)
	api, err := service.Start(store, nc, service.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { api.Close(context.Background()) })
	if _, err := store.CreateTopic(t.Context(), metalog.CreateTopic{Name: "orders", Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.CreateGroup(t.Context(), metalog.CreateGroup{ID: "g"}); err != nil {
		t.Fatal(err)
	}
	var batched atomic.Int64
	if _, err := nc.Subscribe(wire.Subject(wire.DefaultCluster, "*.*"), func(m *nats.Msg) {
		if !strings.HasSuffix(m.Subject, ".api."+commitOp) {
			t.Errorf("a message on %s", m.Subject)
		}
		if m.Header.Get(wire.HeaderBatch) != "" {
			batched.Add(1)
		}
	}); err != nil {
		t.Fatal(err)
	}
	violation := make(chan error, 100)
	c, err := client.Connect(t.Context(), nats1.ClientURL(), client.Options{NATS: []nats.Option{
		nats.UserInfo("consumer", "c"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { violation <- err }),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for done := false; !done; done = batched.Load() > 0 {
				learn(t, c)
			}
		})
	}
	all.Wait()
	for _, cmd := range []metalog.Command{metalog.DeleteTopic{Name: "orders"}, metalog.DeleteGroup{ID: "g"}} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if err := <-violation; !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v, want a violation of permissions", cmd.Op(), err)
			}
			cancel()
		}()
		if _, err := c.ExecuteInBatch(ctx, cmd, metalog.CommandOptions{}); err == nil {
			t.Errorf("%s was done", cmd.Op())
		}
	}
	// A batch of another operation is none of this one.
	order, err := wire.EncodeOrder(metalog.DeleteGroup{ID: "g"}, metalog.CommandOptions{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := wire.EncodeBatch([]wire.Order{order})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Conn().RequestMsgWithContext(t.Context(), &nats.Msg{Subject: wire.Subject(wire.DefaultCluster, commitOp), Header: wire.BatchHeader(1), Data: data})
	if err != nil {
		t.Fatal(err)
	}
	if outcomes, err := wire.DecodeOutcomes(answer.Data, 1); err != nil || !errors.Is(outcomes[0].Err, metalog.ErrInvalid) {
		t.Errorf("the deletion of a group as a commit: %+v, %v, want invalid", outcomes, err)
	}
	if _, err := store.GetGroup(t.Context(), "g"); err != nil {
		t.Error(err)
	}
}
