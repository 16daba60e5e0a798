package crash

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"go.uber.org/goleak"
)

var (
	roundsFlag = flag.Int("rounds", 0, "crashes of each suite; 0: a few, or the long form with METALOG_LONG=1")
	seedFlag   = flag.Uint64("seed", 0, "of the commands; 0: a new one each time")
)

// childVariable makes the test binary a child. Its value is a childConfig.
const childVariable = "METALOG_CRASH_CHILD"

func TestMain(m *testing.M) {
	if config := os.Getenv(childVariable); config != "" {
		if err := childMain(config); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func isLong() bool { return os.Getenv("METALOG_LONG") != "" }

// rounds is how many crashes a suite does.
func rounds(quick, long int) int {
	switch {
	case *roundsFlag > 0:
		return *roundsFlag
	case isLong():
		return long
	}
	return quick
}

func newSeed(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	return seed
}
