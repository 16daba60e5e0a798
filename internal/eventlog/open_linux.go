package eventlog

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openToRead opens a file so that reading it costs whoever syncs it nothing: os.Open
// looks at its times, and a read changes one. After either, the next write gives the
// file a new time at once, and not at the next tick of a clock, so that the next sync
// has its inode to write as well (multigrain timestamps, Linux 6.13). That takes half
// as long again.
func openToRead(path string) (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_CLOEXEC
	fd, err := openUninterrupted(path, flags|unix.O_NOATIME)
	if errors.Is(err, unix.EPERM) { // it is another user's file
		fd, err = openUninterrupted(path, flags)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// openUninterrupted goes on when a signal comes, as os.Open does: some file systems let
// that end a call.
func openUninterrupted(path string, flags int) (fd int, err error) {
	for {
		if fd, err = unix.Open(path, flags, 0); !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}
