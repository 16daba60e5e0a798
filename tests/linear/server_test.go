package linear

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// request asks for a key's config, or sets it if Value is not empty.
type request struct {
	ID        uint64
	Key       string
	Value     string
	Revision  uint64 // that the key must have
	CommandID string
}

// reply has the config that was read, or the revision that a write made.
type reply struct {
	ID       uint64
	Value    string
	Revision uint64
	Code     events.Code // "": done
	Error    string
}

const valueKey = "value" // of a config: the one that is written

// server answers requests for a store, each in a goroutine of its own.
type server struct {
	store *metalog.Store
	stale bool

	mu   sync.Mutex
	out  *json.Encoder           // guarded by mu
	last map[string]readAndCount // guarded by mu
}

// readAndCount is what a stale server remembers of a key.
type readAndCount struct {
	answer reply
	count  int
}

// serve works until its input ends.
func serve(dir string, stale bool) error {
	store, err := metalog.Open(context.Background(), metalog.Options{
		Path: dir, Holder: "a server of the linearizability test",
		SegmentSize: 16 << 10, MaxPendingBytes: 16 << 10, FlushInterval: 5 * time.Millisecond, DigestEvery: 100,
		MinFreeBytes: -1, SweepInterval: -1,
	})
	if err != nil {
		return err
	}
	if err := createKeys(store); err != nil {
		return errors.Join(err, store.Close())
	}
	s := &server{store: store, stale: stale, out: json.NewEncoder(os.Stdout), last: map[string]readAndCount{}}
	var answers sync.WaitGroup
	in := json.NewDecoder(os.Stdin)
	for {
		var req request
		if err = in.Decode(&req); err != nil {
			break
		}
		answers.Go(func() { s.send(s.answer(req)) })
	}
	answers.Wait()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, store.Close())
}

// keys are topics; what is read and written is their configs.
var keys = []string{"a", "b", "c", "d"}

func createKeys(store *metalog.Store) error {
	for _, key := range keys {
		topic := metalog.CreateTopic{Name: key, Partitions: 1, ReplicationFactor: 1}
		if _, err := store.CreateTopic(context.Background(), topic); err != nil && !errors.Is(err, metalog.ErrAlreadyExists) {
			return err
		}
	}
	return nil
}

func (s *server) send(answer reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.out.Encode(answer); err != nil {
		os.Exit(1) // nobody is there
	}
}

func (s *server) answer(req request) reply {
	scope := events.EntityRef{Kind: events.KindTopic, ID: req.Key}
	if req.Value == "" {
		entry, err := s.store.GetConfig(context.Background(), scope)
		return s.agedOf(req, replyOf(req, entry.Config[valueKey], entry.Revision, err))
	}
	cmd := metalog.SetConfig{Scope: scope, Config: events.Config{valueKey: req.Value}}
	result, err := s.store.SetConfig(context.Background(), cmd, metalog.IfRevision(req.Revision), metalog.WithCommandID(req.CommandID))
	return replyOf(req, req.Value, result.Seq, err)
}

func replyOf(req request, value string, revision uint64, err error) reply {
	if err != nil {
		return reply{ID: req.ID, Code: events.CodeOf(err), Error: err.Error()}
	}
	return reply{ID: req.ID, Value: value, Revision: revision}
}

// Of a stale server's reads of a key, one in so many gives the answer of the
// first of them.
const staleOneIn = 10

// agedOf gives the answer to a read, as a stale server would.
func (s *server) agedOf(req request, answer reply) reply {
	if !s.stale {
		return answer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.last[req.Key]
	if last.count++; last.count%staleOneIn == 1 {
		last.answer = answer
	}
	if last.count%staleOneIn == 0 {
		answer = last.answer
		answer.ID = req.ID
	}
	s.last[req.Key] = last
	return answer
}
