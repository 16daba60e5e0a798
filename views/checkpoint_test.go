package views

import "testing"

// A pruned archive has no records to make views of a new schema from, only a base of
// the old one. The number here is raised together with SchemaVersion, once
// replay.Bases takes a base of the version before.
func TestSchemaVersionReadsTheOneBefore(t *testing.T) {
	t.Parallel()
	const basesRead = 1 // the newest version that stores can be opened with, whatever they pruned
	if SchemaVersion != basesRead {
		t.Errorf("SchemaVersion is %d: stores with a pruned archive have bases of version %d, and no records to make views of the new one from. Make replay.Bases read those (docs/decisions.md, Views), show it in a test, and raise the number here", SchemaVersion, basesRead)
	}
}
