// Package model runs random commands against a store and against a plain model
// of it, written from the design alone, and compares what both say.
package model
