//go:build unix

package localpg

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	keptPattern = "beginning-%x.tar"
	// unusedAge is when a kept beginning is removed: what it is made of has changed, as nobody has begun with it for so long.
	unusedAge = 7 * 24 * time.Hour
)

// begin gives a server its new cluster: a copy of the one that an earlier server with the same programs began with, else one that it makes,
// and keeps for the next. Where nothing can be kept, each makes its own.
func (s *Server) begin(ctx context.Context, m machine, programs installation, account *account, o Options) error {
	kept, err := m.keptBeginning(programs, o)
	if err == nil {
		if s.copyOf(kept, account) == nil {
			return nil
		}
		if err := os.RemoveAll(s.folder.data); err != nil {
			return err
		}
	}
	if err := s.initdb(ctx, programs, account); err != nil {
		return err
	}
	if o.Beginning.Make != nil {
		if err := s.run(ctx, programs, account, o); err != nil {
			return err
		}
		if err := o.Beginning.Make(ctx, s); err != nil {
			return err
		}
		if err := s.halt(fast); err != nil {
			return err
		}
	}
	if kept != "" {
		_ = s.keepAs(kept) // else the next server makes it again
	}
	return nil
}

// keptBeginning is the file of what servers with these programs begin with.
func (m machine) keptBeginning(programs installation, o Options) (string, error) {
	cache, err := m.cacheFolder(o)
	if err != nil {
		return "", err
	}
	made := sha256.New()
	fmt.Fprintln(made, o.Beginning.Of, initdbArguments)
	for _, program := range []string{"postgres", "initdb"} {
		path := filepath.Join(programs.binDir, program)
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(made, path, info.Size(), info.ModTime().UnixNano())
	}
	return filepath.Join(cache, fmt.Sprintf(keptPattern, made.Sum(nil)[:10])), nil
}

// copyOf unpacks a kept cluster.
func (s *Server) copyOf(kept string, a *account) (err error) {
	file, err := os.OpenFile(kept, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	now := time.Now()
	_ = os.Chtimes(kept, now, now) // in use; who only reads the cache leaves that to others
	if err := private(s.folder.data, a); err != nil {
		return err
	}
	archive := tar.NewReader(file)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", kept, err)
		}
		if !filepath.IsLocal(header.Name) {
			return fmt.Errorf("%s: leads out of its folder: %q", kept, header.Name)
		}
		path := filepath.Join(s.folder.data, header.Name)
		if header.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, 0o700)
		} else {
			err = writeNew(path, archive)
		}
		if err == nil {
			err = a.own(path)
		}
		if err != nil {
			return err
		}
	}
}

func writeNew(path string, content io.Reader) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// keepAs packs the cluster of a server that has been shut down. The file gets its name when it is complete; of two at once, either will do.
func (s *Server) keepAs(kept string) (err error) {
	cache := filepath.Dir(kept)
	removeLostPartials(cache)
	removeUnused(cache)
	file, err := os.CreateTemp(cache, "partial-")
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err == nil {
			err = os.Rename(file.Name(), kept)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	archive := tar.NewWriter(file)
	if err := archive.AddFS(os.DirFS(s.folder.data)); err != nil {
		return err
	}
	return errors.Join(archive.Close(), file.Sync())
}

func removeUnused(cache string) {
	kept, _ := filepath.Glob(filepath.Join(cache, "beginning-*.tar"))
	for _, path := range kept {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > unusedAge {
			_ = os.Remove(path)
		}
	}
}
