// Package views holds what the log's records have come to: topics, segments,
// brokers, partitions, groups, offsets, configs, transactions and what else
// commands are decided on, with typed reads and writes, one file per view. What
// a record changes is up to package projector; what is allowed, to the root
// package.
//
// # Layers
//
// A row is a key and a value in a bucket. Rows are looked for in up to three
// layers, and the first that knows of one decides:
//
//   - active: an ordered copy-on-write map that the writer ([Tx]) changes;
//   - frozen: a map that was active before and is now flushed, if there is one;
//   - bbolt: a file with a whole checkpoint, in which each flush is one synced
//     transaction that also moves the checkpoint.
//
// The maps know of deleted rows too (tombstones). Scans merge the layers.
//
// A map has for each key the versions of the row, each with the number of the change
// that made it. Whoever reads knows how many changes it sees, and passes over later
// versions. So nodes of the map are copied for rows that are new to it, and not for
// those that change again. Versions stay as long as their layer.
//
// Between [Tx.Begin] and [Tx.Seal] the writer works on a group of records. Seal
// copies the active map, which costs nothing until a row is added, and
// gives the copy, the frozen layer and the checkpoint as a [State]. Once the
// group is durable in the log its owner gives the state to [DB.Publish], and
// snapshots show it. When there is enough to flush, Seal makes the active layer
// the frozen one and begins an empty one; [DB.Flush] writes it out and lets go
// of it.
//
// # Why a read is never torn
//
// Say a read point has layers that hold the last change of every row in the
// records after seq B up to seq S, and a bbolt transaction with checkpoint C. If
// B ≤ C ≤ S it shows exactly the rows of S: a row changed after B is in the
// layers; any other is the same at C as it is at S. So it is harmless when a
// layer's rows are in bbolt already. What each reader has to make sure is
// B ≤ C ≤ S:
//
//   - C never goes back, and a layer is let go of (by retire) only after the
//     commit that holds its rows. Both readers first load their layers and then
//     begin the transaction. So if the layers they see begin after B, the commit
//     that brought the file to B came before: B ≤ C. That is the order in
//     [DB.Snapshot] (published state, then transaction) and in [Tx.Begin] (frozen
//     layer, then transaction). One that was used before (base.go) is as good as a
//     new one: it is kept only while no flush has begun since the file got to C.
//   - Flush writes only layers of a published state, so C is at most the seq
//     that is published when it commits. The writer is never behind that:
//     C ≤ S. A snapshot may have loaded its state before a later one was
//     published and flushed; it looks at C, and if C > S takes the newer state,
//     which is there by then.
//
// The other interleavings:
//
//   - Seal freezes only while no layer is frozen, and it alone sets db.frozen;
//     retire alone clears it. The layer that Flush took from the published state
//     therefore stays db.frozen until that flush retires it.
//   - A state sealed before a retire may be published after it. Publish and
//     retire exclude each other; Publish leaves a frozen layer out of the state
//     that is not db.frozen any more, so its rows don't stay in memory.
//   - FlushAll writes the published copy of the active layer, which the writer
//     keeps. C becomes S of that state; rows of the active layer are written
//     again later with values at least as new, and a later checkpoint: each layer
//     ends at or after the state that FlushAll saw.
//   - A group whose append failed is never published, so nothing of it is shown
//     or flushed, nor is any layer that was frozen with it.
//   - A flush that compacts (compact.go) puts a new file in the place of the old one before
//     it retires the layer. Who has begun a transaction in the old file goes on there: it
//     has the C of the flush before, as any transaction has that began before the commit.
//   - A flush that fails may or may not be in the file. Its layer is not let go
//     of, so reads stay right either way. Nothing is flushed after it.
//
// # Durability
//
// The file is never ahead of the log as long as only durable states are
// published. A crash leaves the file at the checkpoint of the last flush that
// committed, and applying the log from there gives the same rows again. bbolt
// has no checksums on its pages: [Reader.ComputeDigest] finds rows that changed,
// and damage that bbolt trips over is returned as events.ErrCorrupt.
//
// # Waiting
//
// A flush that makes the file larger than its mapping (1 GiB at first) waits
// until all read transactions have ended; those that are kept to be used again it
// ends before. So neither a writer between Begin and
// Seal nor the holder of a snapshot may wait for a flush, and nobody opens a
// second snapshot while holding one.
//
// # Digest
//
// The checkpoint has a digest of all primary rows, the window of command ids
// included; digest.go says of what. Indexes and the checkpoint itself are not in
// it. A row's value follows from the log alone, so views of the same log, seq
// and [SchemaVersion] have the same digest.
//
// # Purging
//
// What hangs on a topic or group hangs on its id. When the topic's or group's
// own row is deleted, all that is left below it can't be reached by any read of
// its kind; the methods that cascades need (AllOffsetsOfTopic and the like) say
// that they show it.
package views
