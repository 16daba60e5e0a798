package archive

import (
	"context"
	"errors"
	"testing"
)

// While one tries to open an archive that does not answer, others are not held up:
// what needs no archive does not wait, and who waits for it may give up.
func TestOpenerDoesNotHoldUp(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 12, 120, 8_000)
	mustMove(t, l, l.created(t, memory{}), 2)
	tried := make(chan struct{})
	o := NewOpener(func(ctx context.Context) (*Archive, error) {
		close(tried)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := o.Archive(ctx)
		ended <- err
	}()
	<-tried
	if first := Join(o, l).First(); first != 1 {
		t.Errorf("first %d, want 1", first)
	}
	impatient, giveUp := context.WithCancel(t.Context())
	giveUp()
	if _, err := o.Archive(impatient); !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the try ended with %v", err)
	}
}
