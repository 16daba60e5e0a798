package replay

// What a data directory holds.
const (
	LogDir       = "log"
	ViewsFile    = "views.db"
	SnapshotsDir = "snapshots"
	AsOfDir      = "asof"
)
