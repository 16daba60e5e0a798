package storetest

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Epoch is where every [Clock] begins.
var Epoch = time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)

// Step is by how much a [Clock] moves each time it is read.
const Step = time.Millisecond

// Clock moves by Step with each reading. It is safe for concurrent use; the zero
// value begins at Epoch.
type Clock struct {
	mu      sync.Mutex
	elapsed time.Duration // since Epoch; guarded by mu
}

// Now moves the clock and reads it.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elapsed += Step
	return Epoch.Add(c.elapsed)
}

// Advance moves the clock, back too.
func (c *Clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elapsed += by
}

// IDs returns what gives ids that count up, behind a number: another log has others.
func IDs(after uint64) func() uuid.UUID { return (&ids{last: after}).next }

// ids gives ids that count up.
type ids struct {
	mu   sync.Mutex
	last uint64 // guarded by mu
}

func (i *ids) next() uuid.UUID {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last++
	id := uuid.UUID{6: 0x70, 8: 0x80} // version 7, RFC 9562
	binary.BigEndian.PutUint32(id[12:], uint32(i.last))
	return id
}
