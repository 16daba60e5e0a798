package peers

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
)

// TestConformance has each peer do what the workloads ask, and reopens it.
func TestConformance(t *testing.T) {
	for _, peer := range All {
		t.Run(peer.Name, func(t *testing.T) {
			t.Parallel()
			if peer.Find != nil {
				if err := peer.Find(); err != nil {
					t.Skip(err)
				}
			}
			conformance{t, peer, tempDir(t)}.run()
		})
	}
}

// tempDir is not t.TempDir: another user than root has to come in.
func tempDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "metalog-suite-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

type conformance struct {
	*testing.T
	peer Peer
	dir  string
}

func (c conformance) run() {
	s := c.open()
	c.want(s, "o/", nil)
	loaded := func(yield func(Row) bool) {
		for i := range 2500 {
			if !yield(row(fmt.Sprintf("l/%04d", i), "loaded")) {
				return
			}
		}
	}
	c.must(s.Load(c.Context(), loaded))
	c.must(s.Apply(c.Context(), Batch{Puts: []Row{row("o/g1/t/0", "a")}}))
	c.must(s.Apply(c.Context(), Batch{Puts: []Row{row("o/g1/t/1", "b"), row("o/g10/t/0", "c"), row("o/g1/t/0", "d")}}))
	c.must(s.Apply(c.Context(), Batch{Puts: []Row{row("o/g1/t/2", "e")}, Deletes: [][]byte{[]byte("o/g1/t/1")}}))
	c.want(s, "o/g1/", map[string]string{"o/g1/t/0": "d", "o/g1/t/2": "e"})

	c.must(s.Close())
	s = c.open()
	c.want(s, "o/", map[string]string{"o/g1/t/0": "d", "o/g1/t/2": "e", "o/g10/t/0": "c"})
	c.wantGet(s, "o/g1/t/0", "d")
	c.wantGet(s, "l/2499", "loaded")
	if _, err := s.Get(c.Context(), []byte("o/g1/t/1")); !errors.Is(err, ErrNotFound) {
		c.Errorf("deleted key: %v", err)
	}
	c.must(s.DeletePrefix(c.Context(), []byte("o/g1/")))
	c.must(s.DeletePrefix(c.Context(), []byte("l/")))

	c.must(s.Close())
	s = c.open()
	c.want(s, "o/", map[string]string{"o/g10/t/0": "c"})
	c.want(s, "l/", nil)
	c.must(s.Close())
}

func row(key, value string) Row { return Row{Key: []byte(key), Value: []byte(value)} }

func (c conformance) open() Store {
	c.Helper()
	s, err := c.peer.Open(c.Context(), c.dir, 4)
	c.must(err)
	return s
}

func (c conformance) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c conformance) wantGet(s Store, key, want string) {
	c.Helper()
	got, err := s.Get(c.Context(), []byte(key))
	if err != nil || string(got) != want {
		c.Errorf("%s is %q, %v; want %q", key, got, err, want)
	}
}

func (c conformance) want(s Store, prefix string, want map[string]string) {
	c.Helper()
	got := map[string]string{}
	var order []string
	c.must(s.List(c.Context(), []byte(prefix), func(key, value []byte) {
		got[string(key)] = string(value)
		order = append(order, string(key))
	}))
	if !maps.Equal(got, want) {
		c.Errorf("%s has %v, want %v", prefix, got, want)
	}
	if c.peer.Name != "nats-kv" && !slices.IsSorted(order) {
		c.Errorf("%s comes in the order %v", prefix, order)
	}
}
