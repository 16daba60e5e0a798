package replay

// What a data directory holds.
const (
	LogDir       = "log"
	ViewsFile    = "views.db"
	SnapshotsDir = "snapshots"
	HistoryFile  = "history.db" // the index of history, which can be deleted
	AsOfDir      = "asof"
)
