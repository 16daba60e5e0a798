package nats

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	roundsFlag = flag.Int("rounds", 0, "failures of each environment; 0: a few, or the long form with METALOG_LONG=1")
	seedFlag   = flag.Uint64("seed", 0, "of the commands; 0: a new one each time")
)

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	if config := os.Getenv(childVariable); config != "" {
		if err := childMain(config); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if flag.Parse(); isLong() || *roundsFlag > 0 {
		patience = time.Hour
	}
	goleak.VerifyTestMain(m)
}

func isLong() bool { return os.Getenv("METALOG_LONG") != "" }

// quickOr is a number in the quick form, and another one in the long form.
func quickOr(quick, long int) int {
	if isLong() {
		return long
	}
	return quick
}

// rounds is how many failures a suite goes through.
func rounds(quick, long int) int {
	if *roundsFlag > 0 {
		return *roundsFlag
	}
	return quickOr(quick, long)
}

func newSeed(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	return seed
}
