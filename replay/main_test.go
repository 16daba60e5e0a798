package replay_test

import (
	"os"
	"testing"

	"github.com/metalog/metalog/internal/benchlog"
)

func TestMain(m *testing.M) { os.Exit(benchlog.Run(m)) }
