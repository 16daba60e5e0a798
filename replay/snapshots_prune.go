package replay

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metalog/metalog/internal/durable"
	"github.com/metalog/metalog/views"
)

// forRecovery is how many of the newest snapshots are kept whatever they take:
// the second one is for when the first is damaged.
const forRecovery = 2

// ForRecovery returns, of snapshots in the order of [Snapshots.List], those that recovery
// may begin with: the two newest of this program's schema version, or as many as there are.
func ForRecovery(list []Snapshot) []Snapshot {
	list = slices.DeleteFunc(slices.Clone(list), func(snap Snapshot) bool { return snap.SchemaVersion != views.SchemaVersion })
	return list[max(0, len(list)-forRecovery):]
}

// Retention is which snapshots are kept besides the newest ones. They are where
// reads of earlier states begin.
type Retention struct {
	// At most one in so many records that hold fewer than so many events. 0: 250,000
	// and 500,000.
	Every, EveryEvents uint64
	MaxBytes           int64 // of all snapshots, the newest included; 0: 2 GiB
}

// The usual distance of snapshots, in records and in events, whichever comes first.
// Applying either takes about half a second.
const (
	DefaultEvery       = 250_000
	DefaultEveryEvents = 500_000
)

func (r Retention) withDefaults() Retention {
	if r.Every == 0 {
		r.Every = DefaultEvery
	}
	if r.EveryEvents == 0 {
		r.EveryEvents = DefaultEveryEvents
	}
	if r.MaxBytes == 0 {
		r.MaxBytes = 2 << 30
	}
	return r
}

// Prune removes what need not be kept: snapshots that stand too close to the one
// before them, then the oldest while all take more than they may, and what a
// crash left of unfinished ones. The two newest of this program's schema version
// always stay.
func (s Snapshots) Prune(keep Retention) (removed []Snapshot, err error) {
	list, err := s.List()
	if err != nil {
		return nil, err
	}
	removed = surplus(list, keep.withDefaults())
	for _, snap := range removed {
		if err := s.remove(snap.Seq); err != nil {
			return nil, s.failed(err)
		}
	}
	if err := s.sweep(); err != nil {
		return removed, s.failed(err)
	}
	return removed, nil
}

// surplus returns which snapshots of a list, the oldest first, are not kept.
func surplus(list []Snapshot, keep Retention) []Snapshot {
	var protected uint64 // from this seq on all are kept
	if newest := ForRecovery(list); len(newest) == forRecovery {
		protected = newest[0].Seq
	}
	var kept, gone []Snapshot
	var total int64
	for _, snap := range list {
		if snap.Seq < protected && len(kept) > 0 && keep.tooClose(kept[len(kept)-1], snap) {
			gone = append(gone, snap)
			continue
		}
		kept = append(kept, snap)
		total += snap.SizeBytes
	}
	for len(kept) > 0 && total > keep.MaxBytes && kept[0].Seq < protected {
		gone, total = append(gone, kept[0]), total-kept[0].SizeBytes
		kept = kept[1:]
	}
	return gone
}

// tooClose reports whether a snapshot is not worth keeping beside an older one.
func (r Retention) tooClose(older, snap Snapshot) bool {
	few := older.Events == 0 || snap.Events < older.Events+r.EveryEvents // or not noted
	return few && snap.Seq-older.Seq < r.Every
}

// remove removes a snapshot, the manifest first: without it the rest is waste.
func (s Snapshots) remove(seq uint64) error {
	if err := durable.Remove(s.path(seq, manifestSuffix)); err != nil {
		return err
	}
	return durable.Remove(s.path(seq, copySuffix))
}

// sweep removes files that belong to no snapshot.
func (s Snapshots) sweep() error {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return err
	}
	var waste []string
	for _, e := range entries {
		name, isCopy := strings.CutSuffix(e.Name(), copySuffix)
		_, err := os.Stat(filepath.Join(s.Dir, name+manifestSuffix))
		if isCopy && os.IsNotExist(err) || strings.HasSuffix(e.Name(), durable.TempSuffix) {
			waste = append(waste, filepath.Join(s.Dir, e.Name()))
		}
	}
	if len(waste) == 0 {
		return nil
	}
	return durable.Remove(waste...)
}
