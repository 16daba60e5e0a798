package linear

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

var killsFlag = flag.Int("kills", 0, "of the server; 0: a few, or the long form with METALOG_LONG=1")

// serverVariable makes the test binary a server. Its value is the data
// directory; staleVariable makes it one whose reads are stale now and then.
const (
	serverVariable = "METALOG_LINEAR_SERVER"
	staleVariable  = "METALOG_LINEAR_STALE"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverVariable); dir != "" {
		if err := serve(dir, os.Getenv(staleVariable) != ""); err != nil {
			fmt.Fprintln(os.Stderr, "server:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
