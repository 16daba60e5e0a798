package command

import (
	"bytes"
	"strings"
	"testing"

	"github.com/metalog/metalog"
)

// What is left of a history is said after the part of it that is shown, and only
// when something is.
func TestHistoryLimit(t *testing.T) {
	dir := t.TempDir()
	withStore(t, dir, func(s metalog.MetadataStore) { fillForAt(t, s); emptyForAt(t, s) })
	for limit, more := range map[string]bool{"1": true, "2": false, "3": false} {
		var both bytes.Buffer
		status := Run(t.Context(), []string{"--data", dir, "history", "group/billing", "--no-high-rate", "--type", "GroupCreated", "--type", "GroupDeleted", "--limit", limit}, Streams{Out: &both, Err: &both})
		if status != exitDone || strings.Contains(both.String(), "there is more") != more || more && !strings.HasSuffix(both.String(), "\nthere is more: --after 5.0\n") {
			t.Errorf("limit %s: %d, %q", limit, status, both.String())
		}
	}
}
