// Package archive keeps what is moved out of a log: its oldest segments, as exact
// frames in compressed files, in a directory or in a bucket of an S3-compatible
// store. It reads log and archive as one ([Join]). When segments are moved, and which,
// is up to the root package.
//
// docs/record-format.md has the files byte by byte, docs/crash-safety.md the order of
// steps in which a segment leaves the log.
package archive
