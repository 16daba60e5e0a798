// Package projector applies records to views: one function an entity, one file
// each. [Apply] is the same for a live store, for catching up after opening, for
// a rebuild and for a replica.
//
// Apply is deterministic: it reads the record and the views, and no clock, no
// randomness, no environment and no order of a map. It never rejects: whatever
// is wrong with a command was found when it was decided, so an error here is a
// damaged file or a bug, and whoever applies must stop.
package projector
