// Package verify runs 'metalog verify' and 'metalog head' as scripts: on
// directories that are sound, that were altered, and that a server has.
package verify
