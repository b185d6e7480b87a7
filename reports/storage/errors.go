package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"syscall"
)

var (
	// passing are what disks and network file systems say when they are full, read-only or away: room is made, and mounts come back.
	passing = []syscall.Errno{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.ESTALE, syscall.ETIMEDOUT, syscall.EBUSY, syscall.EAGAIN, syscall.ENFILE, syscall.EMFILE,
		syscall.ENOMEM, syscall.ENODEV, syscall.ENXIO, syscall.ENOTCONN, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ECONNREFUSED,
	}
	// lasting are what stays as it is until somebody changes the folder or its rights.
	lasting = []syscall.Errno{syscall.EACCES, syscall.EPERM, syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EXDEV}
)

// Classed marks an error of the file system as ErrUnavailable or ErrSetup, where it is that. Any other error stays as it is.
func Classed(err error) error {
	var (
		conn *net.OpError
		file *fs.PathError
		link *os.LinkError
		call *os.SyscallError
	)
	switch {
	case err == nil || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrSetup):
		return err
	case errors.As(err, &conn) || !errors.As(err, &file) && !errors.As(err, &link) && !errors.As(err, &call):
		return err
	case slices.ContainsFunc(passing, func(known syscall.Errno) bool { return errors.Is(err, known) }):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case slices.ContainsFunc(lasting, func(known syscall.Errno) bool { return errors.Is(err, known) }):
		return fmt.Errorf("%w: %w", ErrSetup, err)
	}
	return err
}
