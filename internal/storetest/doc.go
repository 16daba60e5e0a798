// Package storetest opens stores for tests, with a clock and ids that are the
// same in every run, and checks each store when its test ends: its views must be
// those that a rebuild from its log gives, row by row, indexes included, and it
// must open again at the same state.
//
// It is for the tests of all packages; no program imports it.
package storetest
