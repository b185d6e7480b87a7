//go:build linux || darwin || freebsd || netbsd || openbsd

package storage

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock locks an open folder until it is closed or the process is gone; false when another has it. A file system without locks
// lets everybody have it.
func tryLock(folder *os.File) (bool, error) {
	err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil, errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOLCK):
		return true, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return false, nil
	default:
		return false, err
	}
}
