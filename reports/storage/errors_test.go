package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile"
)

// A full, read-only or lost disk comes back; a right or a path that is wrong stays so until somebody changes it. Errors of connections are
// none of the storage's.
func TestErrorsOfTheFileSystemAreClassed(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
	}{
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, ErrUnavailable},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EROFS}, ErrUnavailable},
		{fmt.Errorf("stage: %w", &fs.PathError{Op: "open", Path: "x", Err: syscall.EDQUOT}), ErrUnavailable},
		{&os.LinkError{Op: "rename", Old: "x", New: "y", Err: syscall.ESTALE}, ErrUnavailable},
		{os.NewSyscallError("renameat2", syscall.EIO), ErrUnavailable},
		{&fs.PathError{Op: "mkdir", Path: "x", Err: syscall.EACCES}, ErrSetup},
		{&fs.PathError{Op: "mkdir", Path: "x", Err: syscall.ENOTDIR}, ErrSetup},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, nil},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, nil},
		{&net.OpError{Op: "dial", Err: syscall.EACCES}, nil},
		{errors.New("other"), nil},
		{nil, nil},
	} {
		err := Classed(c.err)
		if errors.Is(err, ErrUnavailable) != (c.want == ErrUnavailable) || errors.Is(err, ErrSetup) != (c.want == ErrSetup) || (err == nil) != (c.err == nil) {
			t.Errorf("%v: %v, want %v", c.err, err, c.want)
		}
	}
}

// What goes wrong on the disk while a night is published is said by kind.
func TestPublicationOnADiskThatIsFull(t *testing.T) {
	for _, step := range []string{"sync", "rename"} {
		f, err := OpenFolder(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		f.step = func(name string) error {
			if name == step {
				return &fs.PathError{Op: step, Path: "x", Err: syscall.ENOSPC}
			}
			return nil
		}
		night := reconcile.Date{Year: 2026, Month: 3, Day: 2}
		dir, err := f.Stage(t.Context(), night)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, ManifestName), []byte(`{"revision":1}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Publish(t.Context(), night, 1, dir); !errors.Is(err, ErrUnavailable) {
			t.Errorf("at %s: %v, want it to be worth another try", step, err)
		}
	}
}
