package storage

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// exchangeNames swaps two names in one step; errors.ErrUnsupported where the file system can't.
func exchangeNames(a, b string) error {
	err := unix.RenamexNp(a, b, unix.RENAME_SWAP)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("exchange %s and %s: %w", a, b, errors.ErrUnsupported)
	}
	return err
}
