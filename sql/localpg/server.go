//go:build unix

package localpg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	_ "github.com/lib/pq" // the driver that asks whether the server is ready
)

const (
	// port is only the number in the socket's file name (socketName); nothing listens on the network.
	port = 5432
	// stopPatience is how long each of the three ways to end a server (fast, immediate, kill) is given.
	stopPatience = 10 * time.Second
	// roomForQueries is what parallel queries may need in /dev/shm; containers often have 64 MiB.
	roomForQueries = 256 << 20
)

// Server is a running private PostgreSQL.
type Server struct {
	process *process
	callOff func() // of the watchdog; nil without one
	folder  *folder
	log     *tail
	stop    func() error
}

// Start starts a server and returns once it answers queries. Binaries come from Find, or are fetched when there are none. It gives up
// when ctx ends; after that ctx has no influence on the server, which runs until Stop or until this process ends.
func Start(ctx context.Context, o Options) (*Server, error) {
	return start(ctx, o, thisMachine())
}

func start(ctx context.Context, o Options, m machine) (_ *Server, err error) {
	if err := checkSettings(o.Settings); err != nil {
		return nil, err
	}
	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	programs, err := m.programs(ctx, o, account)
	if err != nil {
		return nil, err
	}
	return m.startWith(ctx, programs, account, o)
}

func (m machine) startWith(ctx context.Context, programs installation, account *account, o Options) (_ *Server, err error) {
	dir, err := newFolder(ctx, o, account)
	if err != nil {
		return nil, err
	}
	s := &Server{folder: dir, log: &tail{}}
	s.stop = sync.OnceValue(s.stopOnce)
	defer func() {
		if err != nil {
			if stopped := s.Stop(); !errors.Is(stopped, errDied) { // else err says so already
				err = errors.Join(err, stopped)
			}
		}
	}()
	if o.Beginning != nil {
		err = s.begin(ctx, m, programs, account, o)
	} else {
		err = s.initdb(ctx, programs, account)
	}
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx, programs, account, o); err != nil {
		return nil, err
	}
	return s, nil
}

// URL is the lib/pq address of a database of the server, as the superuser, through the server's Unix socket.
func (s *Server) URL(database string) string { return s.URLOf(Superuser, database) }

// URLOf is the address of a database as another role that may log in; none needs a password here.
func (s *Server) URLOf(role, database string) string {
	query := url.Values{"host": {s.folder.socket}, "port": {strconv.Itoa(port)}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database, RawQuery: query.Encode()}
	return u.String()
}

// Dir is the folder of the server.
func (s *Server) Dir() string { return s.folder.dir }

// Stop shuts the server down, ending its sessions, and removes its files. Only the first call does something; all return its outcome, an error
// too when the server had died on its own.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) stopOnce() error {
	return errors.Join(s.halt(immediate), s.folder.remove())
}

// halt ends the server's process, if there is one.
func (s *Server) halt(ways []syscall.Signal) (failed error) {
	if s.process != nil {
		if failed = s.process.end(ways); failed != nil {
			failed = fmt.Errorf("stop PostgreSQL in %s: %w%s", s.folder.dir, failed, s.log.quote())
		}
	}
	if s.callOff != nil {
		s.callOff()
	}
	s.process, s.callOff = nil, nil
	return failed
}

// initdbArguments make a cluster that only its superuser reaches, through the socket.
var initdbArguments = []string{"--username=" + Superuser, "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--locale=C", "--no-sync"}

func (s *Server) initdb(ctx context.Context, programs installation, account *account) error {
	cmd := programs.command(ctx, account, s.folder.dir, "initdb", append([]string{"--pgdata=" + s.folder.data}, initdbArguments...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb in %s: %w\n%s", s.folder.data, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// run starts the server and waits until it answers.
func (s *Server) run(ctx context.Context, programs installation, account *account, o Options) error {
	if err := s.launch(programs, account, o); err != nil {
		return err
	}
	return s.awaitReady(ctx)
}

// launch starts the server process itself; settings on its command line win over any file.
func (s *Server) launch(programs installation, account *account, o Options) error {
	args := []string{"-D", s.folder.data}
	for _, setting := range serverSettings(o, s.folder.socket, programs.fetched) {
		args = append(args, "-c", setting)
	}
	// Unlike the server's start, its life does not depend on the caller's context.
	cmd := programs.command(context.Background(), account, s.folder.dir, "postgres", args...)
	// What a statement frees at the end of the heap the C library would give back to the system, and fetch again page by page for the next one.
	cmd.Env = append(cmd.Env, "MALLOC_TRIM_THRESHOLD_=16777216", "MALLOC_MMAP_THRESHOLD_=16777216")
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.WaitDelay = stopPatience // every backend has the log's pipe: don't wait for a stuck one for ever
	p, err := spawn(cmd)
	if err != nil {
		return fmt.Errorf("start PostgreSQL from %s: %w", programs.binDir, err)
	}
	s.process = p
	if s.callOff, err = watch(account, p.cmd.Process.Pid, s.folder.dir); err != nil {
		return fmt.Errorf("start the watchdog of PostgreSQL: %w", err)
	}
	return nil
}

// awaitReady asks the server for an answer until it gives one, dies, or ctx ends.
func (s *Server) awaitReady(ctx context.Context) error {
	db, err := sql.Open("postgres", s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("open the private PostgreSQL: %w", err)
	}
	defer db.Close()
	err = errors.New("not even asked: it never said that it accepts connections")
	for {
		if s.folder.accepting() {
			if err = db.PingContext(ctx); err == nil {
				return nil
			}
		}
		select {
		case <-s.process.ended:
			return fmt.Errorf("PostgreSQL ended while starting: %w%s", s.process.outcome(), s.log.quote())
		case <-ctx.Done():
			return fmt.Errorf("wait for PostgreSQL to answer: %w (last attempt: %v)%s", context.Cause(ctx), err, s.log.quote())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// reserved are the settings that keep the server private.
var reserved = []string{"listen_addresses", "port", "unix_socket_directories", "unix_socket_permissions", "data_directory", "hba_file"}

func checkSettings(settings map[string]string) error {
	for name := range settings {
		if slices.Contains(reserved, strings.ToLower(name)) {
			return fmt.Errorf("server setting %s cannot be chosen: it decides where the private server listens", name)
		}
		if name == "" || strings.ContainsAny(name, "= \x00") || strings.Contains(settings[name], "\x00") {
			return fmt.Errorf("server setting %q is not a setting's name", name)
		}
	}
	return nil
}

// serverSettings lists "name=value" in the order the server takes them: later ones win.
func serverSettings(o Options, socket string, bare bool) []string {
	var settings []string
	if bare {
		settings = append(settings, "jit=off") // the compiler's library is not there, and queries that ask for it fail
	}
	if shm, err := freeBytes("/dev/shm"); !o.Durable || err != nil || shm < roomForQueries {
		// Shared memory as files in the data folder: those go with it, even when the server is killed.
		settings = append(settings, "dynamic_shared_memory_type=mmap")
	}
	if !o.Durable {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off",
			"wal_level=minimal", "max_wal_senders=0")
	}
	for _, name := range sortedKeys(o.Settings) {
		settings = append(settings, name+"="+o.Settings[name])
	}
	return append(settings, "listen_addresses=", "port="+strconv.Itoa(port), "unix_socket_permissions=0700",
		"unix_socket_directories="+quoteListItem(socket))
}

// quoteListItem protects a path with a comma or space in a setting that takes a list.
func quoteListItem(path string) string { return `"` + strings.ReplaceAll(path, `"`, `""`) + `"` }

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// tail remembers the end of the server's log for error messages.
type tail struct {
	mu  sync.Mutex
	end []byte
}

const tailBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, p...)
	if extra := len(t.end) - tailBytes; extra > 0 {
		t.end = append(t.end[:0], t.end[extra:]...)
	}
	return len(p), nil
}

func (t *tail) quote() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.end) == 0 {
		return ""
	}
	return "\nthe end of its log:\n" + strings.TrimSpace(string(t.end))
}

var errDied = errors.New("the server ended on its own")

// process is a child that ends with this process.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // of the wait; valid once ended is closed
}

func (p *process) outcome() error {
	if p.err == nil {
		return errDied
	}
	return fmt.Errorf("%w: %w", errDied, p.err)
}

// Ways to end a server, one after the other: fast leaves data that can be read again without recovery.
var (
	fast      = []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL}
	immediate = fast[1:]
)

// onDeath is what ends a server whose starter is gone: nobody will read its files again.
const onDeath = syscall.SIGQUIT

// end ends the process in the first of the ways that it takes notice of.
func (p *process) end(ways []syscall.Signal) error {
	select {
	case <-p.ended:
		return p.outcome()
	default:
	}
	for _, s := range ways {
		if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case <-p.ended:
			return nil
		case <-time.After(stopPatience):
		}
	}
	return fmt.Errorf("process %d is still there after SIGKILL", p.cmd.Process.Pid)
}
