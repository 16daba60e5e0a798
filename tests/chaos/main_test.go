package chaos

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"
)

var (
	roundsFlag = flag.Int("rounds", 0, "0: 8, or 120 with METALOG_LONG=1")
	seedFlag   = flag.Uint64("seed", 0, "of the rounds; 0: a new one each time")
)

// partVariable makes the test binary a part. Its value is a partConfig.
const partVariable = "METALOG_CHAOS_PART"

// partConfig is what a part is told.
type partConfig struct {
	Role string // one of roles
	Dir  string // of its data
	Port int    // of the NATS server
}

// roles are the parts, by name. Each works until it is killed.
var roles = map[string]func(context.Context, partConfig) error{
	"nats":    runNATS,
	"store":   runStore,
	"all":     runSubscriber,
	"offsets": runSubscriber,
	"rare":    runSubscriber,
	"replica": runReplica,
}

func TestMain(m *testing.M) {
	if text := os.Getenv(partVariable); text != "" {
		if err := partMain(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func partMain(text string) error {
	var config partConfig
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return err
	}
	go func() { // the end of the parent is the end of its part
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	return roles[config.Role](context.Background(), config)
}

func rounds() int {
	switch {
	case *roundsFlag > 0:
		return *roundsFlag
	case os.Getenv("METALOG_LONG") != "":
		return 120
	}
	return 8
}
