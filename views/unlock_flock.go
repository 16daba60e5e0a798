//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package views

import (
	"os"
	"syscall"
)

// unlock takes back bbolt's lock of a file. Closing the file is not enough while
// a mapping of it is left.
func unlock(file *os.File) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_UN) }
