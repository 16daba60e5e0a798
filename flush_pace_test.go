package metalog

import (
	"testing"
	"time"
)

// TestFlushAfter: at the usual pace, at that of slow flushes, and no later than ten intervals.
func TestFlushAfter(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0:                      time.Second,
		100 * time.Millisecond: 1600 * time.Millisecond,
		time.Hour:              10 * time.Second,
	} {
		if got := flushAfter(time.Second, took); got != want {
			t.Errorf("%s after a flush of %s, want %s", got, took, want)
		}
	}
}
