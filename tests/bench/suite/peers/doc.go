// Package peers has the stores that metalog is measured beside, each behind the
// same small interface of a key-value store, and each durable on return: a batch
// that Apply has acknowledged is synced to disk. How each is set up is what its
// own documentation tells who wants that.
//
// What does not live here: the workloads, and what is measured.
package peers
