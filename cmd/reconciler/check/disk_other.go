//go:build !linux && !darwin

package check

// freeSpace can't be asked for here.
func freeSpace(string) (free uint64, known bool, err error) { return 0, false, nil }
