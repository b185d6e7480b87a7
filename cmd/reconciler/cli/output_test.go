package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFailedOutputLeavesTheFileBefore: an export that failed used to leave an empty or half file in place of yesterday's.
func TestFailedOutputLeavesTheFileBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "breaks.csv")
	if err := os.WriteFile(path, []byte("yesterday's"), 0o600); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("the database went away")
	err := WriteOutput(io.Discard, "--out", path, func(out io.Writer) error {
		_, err := io.WriteString(out, "half a li")
		return errors.Join(err, cause)
	})
	if !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "yesterday's" {
		t.Errorf("the file holds %q (%v), want what was there before", content, err)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// TestOutputToWhatIsNoFile: as root, --output /dev/stdout used to put a file in place of the device.
func TestOutputToWhatIsNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		read <- string(content)
	}()
	if err := WriteOutput(io.Discard, "--out", path, func(out io.Writer) error {
		_, err := io.WriteString(out, "a line")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if content := <-read; content != "a line" {
		t.Errorf("the pipe brought %q", content)
	}
	if there, err := os.Lstat(path); err != nil || there.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe was replaced: %v (%v)", there.Mode(), err)
	}
}
