package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hummingbytes/reconciler/reports/terminal"
)

// WriteOutput writes to the path that a flag names, or to standard output where it names none. A file is put in place once it is complete, so
// that a failure leaves the one before it as it was; what is there and is no file, such as /dev/stdout, is written to directly.
func WriteOutput(standard io.Writer, flag, path string, write func(io.Writer) error) (err error) {
	if path == "" {
		if plain, ok := standard.(*terminal.PlainText); ok {
			standard = plain.Out // a file for other programs, byte by byte
		}
		return write(standard)
	}
	target := path
	if there, err := os.Stat(path); err != nil || there.Mode().IsRegular() {
		target = path + ".partial"
	}
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666) // for writing only, or a pipe without a reader yet would lose it
	if err != nil {
		return UsageError("%s: %w", flag, err)
	}
	err = errors.Join(write(file), file.Close())
	switch {
	case target == path:
		return err
	case err != nil:
		return errors.Join(err, os.Remove(target))
	}
	if err := os.Rename(target, path); err != nil {
		return fmt.Errorf("%s: %w", flag, errors.Join(err, os.Remove(target)))
	}
	return nil
}
