//go:build unix

package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const installHint = `install PostgreSQL (Debian, Ubuntu: sudo apt-get install postgresql; macOS: brew install postgresql@17; Fedora: sudo dnf install postgresql-server; Alpine: apk add postgresql), or set ` +
	BinVariable + ` to the folder with the programs postgres and initdb`

// source is a place that server programs can be fetched from.
type source struct {
	name   string // of its folder in the cache
	what   string // for people
	layout func(dir string) installation
	fill   func(ctx context.Context, dir string) error
}

// programs finds server programs on this machine, else in the cache, else fetches them into the cache.
func (m machine) programs(ctx context.Context, o Options, a *account) (installation, error) {
	found, missing := m.find(ctx, a)
	if !errors.Is(missing, ErrNotFound) {
		return found, missing
	}
	sources, err := m.sources()
	if err != nil {
		return installation{}, err
	}
	cache, err := m.cacheFolder(o)
	if err != nil {
		return installation{}, fmt.Errorf("%w\nfetched programs would need a cache folder: %w\n%s", missing, err, installHint)
	}
	for _, s := range sources {
		i := s.layout(filepath.Join(cache, s.name))
		if _, err := i.usable(ctx, a); err == nil {
			return i, nil
		}
	}
	tried := []error{missing}
	for _, s := range sources {
		i, err := s.fetch(ctx, cache, a)
		if err == nil {
			return i, nil
		}
		tried = append(tried, fmt.Errorf("fetch %s: %w", s.what, err))
	}
	return installation{}, fmt.Errorf("%w\n%s", errors.Join(tried...), installHint)
}

// cacheFolder makes the folder for fetched programs and refuses one in which others could plant theirs.
func (m machine) cacheFolder(o Options) (string, error) {
	dir := o.CacheDir
	if dir == "" && os.Geteuid() == 0 {
		dir = "/var/cache/reconciler" // the user that runs the server cannot enter /root
	} else if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(user, "reconciler")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask is
			return "", err
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if owner != 0 && owner != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("other users can write to %s: programs there cannot be trusted", dir)
	}
	return dir, nil
}

// partialAge is when an unfinished download is given up for lost.
const partialAge = time.Hour

// fetch fills a folder of its own and gives it its name in the cache only when its programs have proven to run, so that neither a
// cut-off download nor a second process at the same time can leave half a tree under that name.
func (s source) fetch(ctx context.Context, cache string, a *account) (installation, error) {
	removeLostPartials(cache)
	partial, err := os.MkdirTemp(cache, "partial-")
	if err != nil {
		return installation{}, err
	}
	defer os.RemoveAll(partial)
	if err := os.Chmod(partial, 0o755); err != nil {
		return installation{}, err
	}
	if err := s.fill(ctx, partial); err != nil {
		return installation{}, err
	}
	if _, err := s.layout(partial).usable(ctx, a); err != nil {
		return installation{}, fmt.Errorf("what was fetched does not run here: %w", err)
	}
	final := filepath.Join(cache, s.name)
	i := s.layout(final)
	for {
		err := os.Rename(partial, final)
		if err == nil {
			return s.layout(final), nil // again: a layout looks at what is there
		}
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
			return installation{}, err
		}
		if _, err := i.usable(ctx, a); err == nil {
			return i, nil // another process was quicker
		}
		if err := os.RemoveAll(final); err != nil { // a damaged tree
			return installation{}, err
		}
	}
}

func removeLostPartials(cache string) {
	lost, _ := filepath.Glob(filepath.Join(cache, "partial-*"))
	for _, dir := range lost {
		if info, err := os.Lstat(dir); err == nil && time.Since(info.ModTime()) > partialAge {
			_ = os.RemoveAll(dir)
		}
	}
}

// lastLines shortens what a failed program printed.
func lastLines(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}

// copyLimited copies at most limit bytes and fails when there are more.
func copyLimited(to io.Writer, from io.Reader, limit int64) (int64, error) {
	n, err := io.Copy(to, io.LimitReader(from, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return n, err
}
