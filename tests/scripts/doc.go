// Package scripts tests the command line from outside: each file of testdata is
// a session, as a shell would have it. The commands that scripts have besides
// those of testscript are in commands_test.go.
package scripts
