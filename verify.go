package metalog

import (
	"context"

	"github.com/metalog/metalog/replay"
)

// VerifyOptions say what to verify.
type VerifyOptions = replay.VerifyOptions

// VerifyReport is what a verification found.
type VerifyReport = replay.VerifyReport

// Verify checks the store while it works: every record of its log up to the head
// at the call, and the rows of one snapshot of its views against their digest. It
// changes nothing. What is wrong is in the report; its Err makes an error of it.
//
// For a directory that no store has open, or a copy, see replay.Verify.
func (s *Store) Verify(ctx context.Context, opts VerifyOptions) (VerifyReport, error) {
	if opts.Archive == "" && s.archive.Known() {
		opts.Archive = s.archiveLocation()
	}
	s.front.RLock()
	defer s.front.RUnlock()
	return replay.VerifyOpen(ctx, s.opts.Path, s.db, s.log, opts)
}
