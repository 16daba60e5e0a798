// Package eventlog keeps the log: durable records in order, in segment files.
//
// tidwall/wal writes the files and divides them into segments. This package is
// the guard that makes them trustworthy: frames with checksum and chain, repair
// on opening, a stop at the first error, a log start that can move, and readers
// of its own. Of wal only Open, WriteBatch and Close are used.
//
// What does not live here: what records mean (events), who may append and when
// (the root package), the archive, and repair of a damaged log, which only an
// operator may order.
//
// # Files
//
//	LOCK                      in the data directory: who holds it (Lock)
//	log/00000000000000000001  a segment, named after its first seq
//	log/START                 JSON: where the log starts, when that is not seq 1
//	log/CLEAN                 JSON: the head at a clean close; gone before any write
//	log/cut/…                 what opening took out of the log, never read again
//
// A segment is a run of entries, and an entry is wal's: the length of the frame
// as a uvarint, and the frame. One frame is one record. Numbers are big-endian:
//
//	 0  3  magic f5 'm' 'l'
//	 3  1  format version, 1
//	 4  4  length of the record, at most 1 MiB
//	 8  4  CRC32C of bytes 0 to 7 and 12 to the end
//	12  8  group: the first seq of the group that the record was appended in
//	20     the record, CBOR: [version, seq, time, prev, meta, events]
//
// prev is the SHA-256 of the frame before, header included. The header keeps its
// shape in all format versions; a version that is not known is an error.
//
// # Appending
//
// The last segment is filled with zeros some way ahead, never beyond the size at which
// the next one begins. An append writes over them, which makes its sync cheaper: the file
// does not get longer. Close takes them away. So does the roll: a segment that is full
// has reached beyond them.
//
// A group is one wal batch and one sync. The next group is not written before
// that sync has succeeded, and readers and waiters see the group only then. wal
// begins a new segment in the midst of a batch, after the entry with which a
// segment reaches its size, and syncs the old one first; it never syncs the
// directory, so Append does when a segment has appeared. After the first error
// nothing is written any more: wal's memory may be ahead of its files.
//
// # Opening
//
// Always: the segments begin with the log's start, each begins with a frame that
// chains to the last frame of the one before, and the log reaches the witness. Of
// segments before the last group only both ends are read, some kilobytes each;
// frames in between are checked when they are read, and by [Scan].
//
// After a clean close the last segment is read whole, and must end with the head
// that CLEAN tells. It is not repaired.
//
// After any other end the last segment may have zeros behind its records, up to its end:
// nobody wrote there, and they are no part of the log. The log is read from a segment on
// that the last group begins in or after. When there is no frame where seq b should be,
// then all from there on may be cut, if it can be what a write left that never finished:
//
//   - what is there is torn: a frame with a right checksum which does not chain,
//     or means nothing, was not left by a write;
//   - no whole frame, wherever it begins, is of a group that begins after b: such
//     a group would have been written after b was durable;
//   - b is beyond the witness.
//
// Otherwise Open fails with a [Damage] and changes nothing. Whole frames before b
// stay even if their group is not complete: each is a command of its own, and
// its caller was told nothing, or that the outcome is unknown. What is cut is
// first kept in log/cut, durably, in files named after segment, byte and seqs.
//
// Then the last segment is written to a new file, synced and renamed. Reading it
// proves nothing: after a sync that failed, or a process that died before it,
// pages may be in memory only.
//
// A crash during the repair leaves a log to which the same repair applies.
package eventlog
