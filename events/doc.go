// Package events is metalog's vocabulary: the entities, the events that change
// them, the [Record] that holds the events of one command, its CBOR codec, the
// registry of event types, and the errors that every package and every face of
// metalog shares.
//
// A record is the unit of atomicity: one log entry, one seq. Its encoding is
// frozen (docs/record-format.md); an event's payload evolves by schema version,
// and old versions stay readable for ever (see registry.go).
//
// What does not live here: how records are stored (internal/eventlog), what
// they do to the views (projector), and who decides them (the root package).
package events
