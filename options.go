package metalog

import (
	"context"
	"log/slog"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/replay"
)

// Options are how to open a [Store]. Path is required; the rest has defaults.
type Options struct {
	// Path is the data directory. It is created if it is not there, unless
	// MustExist is set.
	Path      string
	MustExist bool
	// Holder tells others who try to open the directory who has it.
	Holder string
	Logger *slog.Logger // nil: no logs

	// CommandWindow is for how many records a command id is remembered. It
	// counts when the log is created, and stands in it. 0: 262,144.
	CommandWindow uint64
	// DigestEvery is after how many records the digest of the views is logged.
	// 0: 10,000.
	DigestEvery uint64
	// MaxPendingBytes is how much of the views may wait in memory to be flushed, and
	// how many bytes of their file a flush may change, or a quarter of that while each
	// row that changes is in another page. As much again gathers meanwhile. 0: 64 MiB.
	MaxPendingBytes int64
	// FlushInterval is after what time they are flushed at the latest, or after sixteen
	// times what the last flush took if that is more, up to ten intervals. 0: 1 s.
	FlushInterval time.Duration
	// SegmentSize of the log, in bytes. 0: 8 MiB.
	SegmentSize int
	// SnapshotEvery is after how many records a snapshot is taken. 0: 250,000;
	// negative: never.
	SnapshotEvery int64
	// SnapshotEvents is after how many events one is taken when the records are fewer.
	// 0: 500,000; negative: however many.
	SnapshotEvents int64
	// SnapshotBytes is what snapshots may take together; the two newest stay
	// whatever they take. 0: 2 GiB.
	SnapshotBytes int64
	// AsOfBytes is what views of earlier states, which [Store.At] makes, may take
	// together on disk to be there for the next who asks. 0: 1 GiB; negative: none
	// is kept.
	AsOfBytes int64
	// MinFreeBytes of disk are kept in reserve: writes are refused before. 0: 64
	// MiB; negative: none.
	MinFreeBytes int64
	// OffsetsRetention is for how long a group without members keeps an offset
	// that is not committed again, as Kafka's offsets.retention.minutes. 0: 7
	// days; negative: for ever.
	OffsetsRetention time.Duration
	// SweepInterval is how often transactions are looked through for what has
	// timed out. 0: 10 s; negative: never, and no offsets either.
	SweepInterval time.Duration
	// OffsetsCheckInterval is the same for offsets, as Kafka's
	// offsets.retention.check.interval.ms. 0: 10 minutes.
	OffsetsCheckInterval time.Duration

	// IndexHistory keeps the index of history current in the background, for
	// [Store.History] and the like. Else each of those first indexes what is new.
	IndexHistory bool

	// ArchiveTo is where the log's archive is, if that is not where the log says:
	// a directory, or s3://BUCKET/PREFIX?endpoint=URL&region=NAME. See [Store.Archive].
	ArchiveTo string
	// ArchivePolicy says what is moved to the archive by itself. The zero policy:
	// nothing is.
	ArchivePolicy ArchivePolicy
	// ArchiveInterval is how often that is looked at, and after each snapshot. 0: 10
	// minutes.
	ArchiveInterval time.Duration
	// Needed, if not nil, returns the first seq that somebody outside the store still
	// has to read from the log, such as the publisher: it is not moved to the archive,
	// and neither is what follows it.
	Needed func() uint64

	// Throttle, if not nil, is called before each command of [HighRateOps] is
	// taken, once for those of an ExecuteAll, and may hold it up: as when whoever
	// follows the log is too far behind. Its error is the command's, which is then not done; it has to return
	// when ctx is done. It is called from many goroutines.
	Throttle func(ctx context.Context) error

	// For tests; nil: time.Now, uuid.NewV7, the log in the directory.
	Clock func() time.Time
	NewID func() uuid.UUID
	wrap  func(eventlog.Log) eventlog.Log
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Holder == "" {
		o.Holder = "another program"
	}
	defaultTo(&o.CommandWindow, 262_144)
	defaultTo(&o.DigestEvery, 10_000)
	defaultTo(&o.FlushInterval, time.Second)
	defaultTo(&o.SnapshotEvery, replay.DefaultEvery)
	defaultTo(&o.SnapshotEvents, replay.DefaultEveryEvents)
	if o.SnapshotEvents < 0 {
		o.SnapshotEvents = math.MaxInt64
	}
	defaultTo(&o.OffsetsRetention, 7*24*time.Hour)
	defaultTo(&o.SweepInterval, 10*time.Second)
	defaultTo(&o.OffsetsCheckInterval, 10*time.Minute)
	defaultTo(&o.ArchiveInterval, 10*time.Minute)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.NewID == nil {
		o.NewID = func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	}
	return o
}

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
