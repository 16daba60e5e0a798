// Package durable makes changes to files that a power cut does not undo: when
// one of its functions returns nil, the change is on the disk, name and content.
//
// A file's content is made durable by fsync of the file, its name by fsync of
// the directory that holds it. A replaced file is written beside the old one
// and renamed over it, so that a crash leaves the old or the new content, never
// a mixture; what such a crash can leave behind is a file whose name ends in
// [TempSuffix].
//
// Files get mode 0600 and directories 0700: metadata is for its owner alone.
//
// What does not live here: what the files mean, and who may write them at the
// same time. Two writers of one path are the callers' to prevent.
package durable
