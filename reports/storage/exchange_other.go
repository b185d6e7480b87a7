//go:build !linux && !darwin

package storage

import "errors"

// exchangeNames swaps two names in one step, which this system can't.
func exchangeNames(_, _ string) error { return errors.ErrUnsupported }
