// Package imports holds the test of which package may import which. The table in
// it is the rule.
package imports
