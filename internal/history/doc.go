// Package history is the index from an entity to its events: a file beside the
// log (history.db), from which the events of one topic among millions are read
// one by one where they stand.
//
// The file is a projection of the log and nothing else: it can be deleted, is made
// anew from the log when it is missing, damaged, of another log or ahead of this
// one, and is in no digest. What it says is checked by whoever reads the events,
// see [Index.Remake].
//
// # What is in it
//
// Each bucket's keys are fixed-width and big-endian, and each value ends with a
// CRC-32C of key and value. An entity is a kind and an id that tells it from its
// namesakes (events.Identity).
//
//	bucket     key                        value
//	meta       "state"                    version, log id, what is indexed
//	entities   entity                     its name, from which seq to which, how many events
//	names      kind, name                 the entities that have had it
//	events     entity, seq, index         number, offset in the segment, type, hints
//	causes     seq, index of a cause, seq offset of the record that was caused
//	segments   first seq of a segment     last seq, Bloom filter
//
// Events are numbered, for each entity from 1, and the rows of other buckets counted:
// a row that is lost, by a damaged page say, is found out and not passed over. A row
// that is missing from segments costs a scan.
//
// Events of a high rate (events.Type.HighRate: commits of offsets and high
// watermarks) are not in it. They are found by scanning the log; the filter of each
// segment tells which topics, groups, partitions and offsets have such events there,
// so that most segments are skipped.
//
// # Keeping up
//
// [Index.CatchUp] indexes what the log has got, in bounded batches. Each is one
// synced transaction with the state that it reaches, so a crash leaves a whole
// batch or nothing of it. The last segment's summary is of what is indexed of it;
// after a reopen it is made anew from the segment's beginning.
package history
