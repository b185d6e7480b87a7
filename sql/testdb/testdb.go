// Package testdb gives every test a PostgreSQL database of its own, made as the documentation says that an operator makes one: the
// platform's tables, the roles of sql/roles/roles.sql, the schema migrated by its owner. DB.URL logs in as the worker's role, so that a right
// that a statement lacks fails wherever the statement is tested; the pool in DB is the administrator's, who is the platform too: for what the
// platform writes, for looking, and for tampering. A database is cloned from a template in some tens of milliseconds. The server behind it is
// private to the test process and starts with the first test that asks; it is gone, with its files, when the process is gone.
//
// RECONCILER_TEST_DATABASE_URL points the whole suite at another PostgreSQL-compatible server instead, whose user must be allowed to create
// databases and roles. Nothing but databases created here is ever touched there, and the worker's roles are made unless they are there: they
// stay, and are taken on by SET ROLE, so that they need no passwords. RECONCILER_TEST_CITUS_URL points it at a Citus cluster, on whose nodes
// each database is distributed then.
//
// The package is for tests only and must never be imported by anything else.
package testdb

import (
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	reconcilersql "github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/localpg"
)

// ServerVariable names the environment variable that points the suite at a server that is already running.
const ServerVariable = "RECONCILER_TEST_DATABASE_URL"

const (
	// patience bounds every single step on a running server: migrating, cloning, dropping.
	patience = 2 * time.Minute
	// startPatience bounds the start of the server, which may have to be fetched first.
	startPatience = 5 * time.Minute
	// connections the pool of one test may open.
	connectionsPerTest = 20
	// maxConnections of the private server: tests that run side by side, as many as there are cores, have some ten each.
	maxConnections  = "1000"
	fileCopyVersion = 150000
	// sharedPrefix begins the name of every database made on a server that is not ours; a date and a random part follow.
	sharedPrefix = "reconciler_test_"
	dateLayout   = "20060102"
)

// DB is a test's own database. Tests that need a connection with other settings open URL, or that of another role, themselves.
type DB struct {
	// URL is the worker's: reconciler_app.
	URL string
	// DB is the administrator's pool: the platform's hand, and everybody's that a test needs beyond the worker's.
	*sqlx.DB
	name        string
	urlOf       func(role string) string
	test        testing.TB
	distributed bool
}

// Administrator is who made the database, as a role for URLOf and As.
const Administrator = ""

// URLOf is how a role of sql/roles/roles.sql connects, or the Administrator.
func (db *DB) URLOf(role string) string { return db.urlOf(role) }

// GrantSource gives the roles their rights on a platform in another schema.
func (db *DB) GrantSource(schema string) {
	db.test.Helper()
	err := once(db.URLOf(Administrator), func(admin *sql.DB) error {
		return shared.makeRoles(context.Background(), admin, schema)
	})
	if err != nil {
		db.test.Fatal("testdb:", err)
	}
}

// As is a pool of a role of sql/roles/roles.sql, closed when the test ends.
func (db *DB) As(role string) *sqlx.DB {
	db.test.Helper()
	pool, err := sqlx.Open("postgres", db.urlOf(role))
	if err != nil {
		db.test.Fatal("testdb:", err)
	}
	pool.MapperFunc(reconcilersql.ColumnOf)
	db.test.Cleanup(func() { _ = pool.Close() })
	return pool
}

// Run runs a package's tests and then stops the server: os.Exit(testdb.Run(m)). It is a courtesy that ends the server at once and in
// order; without it the server ends and its files go right after the process does.
func Run(m *testing.M) int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // as the worker does
	}
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, "testdb:", err)
		code = max(code, 1)
	}
	return code
}

// Cases is how many cases a test tries: fewer under the race detector, where each takes several times as long. What must hold in them is
// the same.
func Cases(ordinarily, underRaceDetector int) int {
	if raceDetector {
		return underRaceDetector
	}
	return ordinarily
}

// New returns a fresh database with the platform's reference schema, the roles and all migrations, without rows of its own. It is dropped
// when the test ends.
func New(t testing.TB) *DB {
	t.Helper()
	return shared.database(t, migrated)
}

// NewOnOneServer is New with nothing distributed, also on a cluster: for tests of how one server plans, locks or is laid out.
func NewOnOneServer(t testing.TB) *DB {
	t.Helper()
	return shared.database(t, undistributed)
}

// NewEmpty returns a fresh database with nothing in it, for tests of how one is set up; its URL is the administrator's. It is dropped when
// the test ends.
func NewEmpty(t testing.TB) *DB {
	t.Helper()
	db := shared.database(t, empty)
	db.URL = db.urlOf(Administrator)
	return db
}

// NewUnmigrated returns a fresh database with the platform's reference schema and the roles, for tests of the migrations. It is dropped when
// the test ends.
func NewUnmigrated(t testing.TB) *DB {
	t.Helper()
	return shared.database(t, equipped)
}

// Clone is a copy of a database to which nobody is connected any more. It is dropped when the test ends, or by Drop.
func (db *DB) Clone(t testing.TB) *DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	copied, err := shared.copy(ctx, db.name, t.Name())
	if err != nil {
		t.Fatal("testdb:", err)
	}
	copied.test, copied.distributed = t, db.distributed
	t.Cleanup(copied.Drop)
	return copied
}

// Again is the database for a further test, its pool with it: sessions that have been looked around in already. Whoever hands a database on sees to
// it that the next test finds it as it needs it.
func (db *DB) Again(t testing.TB) *DB {
	again := *db
	again.test = t
	return &again
}

// MadeOf tells whether anybody has altered a database: it changes with every object, column, right, constraint and setting in it, and with locks that
// somebody holds. Rows and statistics are no part of it.
func (db *DB) MadeOf() (sum string) {
	db.test.Helper()
	if err := db.Get(&sum, madeOf); err != nil {
		db.test.Fatal("testdb:", err)
	}
	return sum
}

const madeOf = `WITH relations AS (SELECT oid, xmin FROM pg_class WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema'))
	SELECT md5(string_agg(x.part, ' ' ORDER BY x.part)) FROM (
		SELECT 'r' || oid || '.' || xmin AS part FROM relations
		UNION ALL SELECT 'a' || a.attrelid || '.' || a.attnum || '.' || a.xmin FROM pg_attribute a JOIN relations r ON r.oid = a.attrelid
		UNION ALL SELECT 'c' || c.oid || '.' || c.xmin FROM pg_constraint c JOIN relations r ON r.oid = c.conrelid
		UNION ALL SELECT 't' || t.oid || '.' || t.xmin FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid
		UNION ALL SELECT 'p' || p.oid || '.' || p.xmin FROM pg_policy p
		UNION ALL SELECT 'w' || w.oid || '.' || w.xmin FROM pg_rewrite w JOIN relations r ON r.oid = w.ev_class
		UNION ALL SELECT 'f' || f.oid || '.' || f.xmin FROM pg_proc f WHERE f.pronamespace <> 'pg_catalog'::regnamespace
		UNION ALL SELECT 'n' || n.oid || '.' || n.xmin FROM pg_namespace n WHERE n.nspname !~ '^pg_(toast_)?temp'
		UNION ALL SELECT 's' || s.setrole || '.' || s.xmin FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = current_database()
		UNION ALL SELECT 'l' || l.objid || '.' || l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() WHERE l.locktype = 'advisory') x`

// Drop removes the database, if it is still there.
func (db *DB) Drop() {
	db.test.Helper()
	if err := errors.Join(db.Close(), shared.drop(db.name)); err != nil {
		db.test.Error("testdb:", err)
	}
}

// shared is the one server of this test process.
var shared = newServer()

func newServer() *server {
	s := &server{prepared: ownText}
	s.prepare = s.migrated
	return s
}

// ownText is this file: what a template is made of is the SQL that SchemaFingerprint is of, and what this does with it.
//
//go:embed testdb.go
var ownText string

// server hands out databases of one PostgreSQL server.
type server struct {
	prepare  func(ctx context.Context, urlOf func(role string) string) error
	prepared string // names what prepare does, aside from the SQL

	starting sync.Mutex // guards the fields below
	private  *localpg.Server
	admin    *sql.DB // nil until the first test asks
	address  func(role, database string) string
	prefix   string   // of every database made here
	cluster  *cluster // the nodes of a Citus cluster, where one was given
	clone    string   // how CREATE DATABASE clones the template; empty where there is none
	made     atomic.Int64
}

// migrated brings an empty database to the state that tests start from. No session may be left in it then: it may be cloned.
func (s *server) migrated(ctx context.Context, urlOf func(role string) string) error {
	if err := s.equip(ctx, urlOf); err != nil {
		return err
	}
	return once(urlOf(reconcilersql.OwnerRole), func(db *sql.DB) error {
		_, err := reconcilersql.Migrate(ctx, db)
		return err
	})
}

// equip does what an administrator does before the first migration.
func (s *server) equip(ctx context.Context, urlOf func(role string) string) error {
	return once(urlOf(Administrator), func(db *sql.DB) error {
		if _, err := db.ExecContext(ctx, reconcilersql.Platform); err != nil {
			return fmt.Errorf("create the platform's reference schema: %w", err)
		}
		return s.makeRoles(ctx, db, reconcilersql.DefaultSourceSchema)
	})
}

// makeRoles runs roles.sql. Roles belong to the whole server, and two that make or alter them at once collide: all who share it take turns.
func (s *server) makeRoles(ctx context.Context, db *sql.DB, source string) error {
	turn, err := s.admin.Conn(ctx)
	if err != nil {
		return err
	}
	defer turn.Close()
	const key = "hashtextextended('reconciler: roles of the tests', 0)"
	if _, err := turn.ExecContext(ctx, "SELECT pg_advisory_lock("+key+")"); err != nil {
		return fmt.Errorf("wait to make the roles: %w", err)
	}
	defer turn.ExecContext(ctx, "SELECT pg_advisory_unlock("+key+")")
	if _, err := db.ExecContext(ctx, "SET reconciler.source_schema = "+pq.QuoteLiteral(source)+";"+reconcilersql.Roles); err != nil {
		return fmt.Errorf("make the roles: %w", err)
	}
	if s.private == nil {
		if _, err := db.ExecContext(ctx, takeOnRoles); err != nil {
			return fmt.Errorf("be allowed to take on the roles: %w", err)
		}
	}
	return nil
}

// takeOnRoles lets the user of a server that is not ours take on the roles. A superuser may anyway.
const takeOnRoles = `DO $$
DECLARE role text;
BEGIN
	FOREACH role IN ARRAY ARRAY['reconciler_owner', 'reconciler_app', 'reconciler_readonly', 'reconciler_approver'] LOOP
		IF NOT pg_has_role(current_user, role, CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
			EXECUTE format('GRANT %I TO %I', role, current_user);
		END IF;
	END LOOP;
END
$$`

// once opens a database for do, and leaves no session behind.
func once(address string, do func(*sql.DB) error) error {
	db, err := sql.Open("postgres", address)
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

// state is how far a database is set up.
type state string

const (
	empty    state = "empty"
	equipped state = "equipped" // with the platform's tables and the roles
	migrated state = "migrated"
	// undistributed is migrated, on one server also where that has a cluster.
	undistributed state = "undistributed"
)

func (s *server) database(t testing.TB, wanted state) *DB {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal("testdb:", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	from, err := s.template(ctx, wanted)
	if err != nil {
		t.Fatal("testdb:", err)
	}
	name := s.name(t.Name())
	db, err := s.create(ctx, name, from)
	if err != nil {
		t.Fatal("testdb:", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(db.Close(), s.drop(name)); err != nil {
			t.Error("testdb:", err)
		}
	})
	if from == "" {
		if err := s.bring(ctx, wanted, db.urlOf); err != nil {
			t.Fatal("testdb:", err)
		}
	}
	db.test, db.distributed = t, s.cluster != nil && wanted != undistributed
	return db
}

// bring sets an empty database up.
func (s *server) bring(ctx context.Context, wanted state, urlOf func(role string) string) error {
	switch wanted {
	case migrated, undistributed:
		return s.prepare(ctx, urlOf)
	case equipped:
		return s.equip(ctx, urlOf)
	default:
		return nil
	}
}

// start makes sure there is a server to create databases on.
func (s *server) start() error {
	s.starting.Lock()
	defer s.starting.Unlock()
	if s.admin != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	variable := ServerVariable
	if os.Getenv(CitusVariable) != "" {
		variable = CitusVariable
	}
	given := os.Getenv(variable)
	if given == "" {
		return s.startPrivate(ctx)
	}
	u, err := url.Parse(given)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return fmt.Errorf("%s must be a URL like postgres://user:password@host:5432/postgres", variable)
	}
	var nodes *cluster
	var admin *sql.DB
	if variable == CitusVariable {
		if nodes, err = openCluster(ctx, u); err == nil {
			admin, s.address = nodes.nodes[0].admin, nodes.nodes[0].address
		}
	} else {
		admin, err = reach(ctx, given)
		s.address = addresses(u, "")
	}
	if err != nil {
		return err
	}
	s.admin, s.cluster = admin, nodes
	if err := s.dropForgotten(ctx, time.Now().UTC()); err != nil {
		s.admin, s.cluster = nil, nil
		return errors.Join(err, admin.Close())
	}
	// Several processes share that server, on several machines perhaps.
	s.prefix = sharedPrefix + time.Now().UTC().Format(dateLayout) + "_" + strings.ToLower(rand.Text()[:10]) + "_"
	return nil
}

// addresses are the URLs of a server's databases, for the user of a given one, who takes on a role with its sessions.
func addresses(given *url.URL, settings string) func(role, database string) string {
	return func(role, database string) string {
		other, settings := *given, settings
		other.Path = "/" + database
		if role != Administrator {
			settings += " -c role=" + role
			if role == reconcilersql.ReadOnlyRole { // what roles.sql has a login of that role begin with
				settings += " -c default_transaction_read_only=on"
			}
		}
		if settings != "" {
			query := other.Query()
			query.Set("options", strings.TrimSpace(query.Get("options")+" "+strings.TrimSpace(settings)))
			other.RawQuery = query.Encode()
		}
		return other.String()
	}
}

// startPrivate starts a server that has the template already, which an earlier test process may have made.
func (s *server) startPrivate(ctx context.Context) error {
	schema, err := reconcilersql.SchemaFingerprint()
	if err != nil {
		return err
	}
	s.prefix = "test_"
	template := s.prefix + "template"
	private, err := localpg.Start(ctx, localpg.Options{
		Settings: map[string]string{"max_connections": maxConnections},
		Beginning: &localpg.Beginning{Of: "template of the tests " + s.prepared + " " + schema, Make: func(ctx context.Context, private *localpg.Server) error {
			if err := s.use(ctx, private); err != nil {
				return err
			}
			if err := s.execute(ctx, "CREATE DATABASE "+pq.QuoteIdentifier(template)); err != nil {
				return err
			}
			if err := s.prepare(ctx, func(role string) string { return s.address(role, template) }); err != nil {
				return fmt.Errorf("prepare the template: %w", err)
			}
			return s.admin.Close()
		}},
	})
	if err == nil {
		if err = s.use(ctx, private); err == nil {
			s.clone, err = localpg.CloneClause(ctx, s.admin, template)
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("start a PostgreSQL for the tests (or set %s): %w", ServerVariable, err), s.leave())
	}
	return nil
}

// use makes a private server the one that databases are made on.
func (s *server) use(ctx context.Context, private *localpg.Server) (err error) {
	s.private = private
	s.address = func(role, database string) string {
		if role == Administrator {
			role = localpg.Superuser
		}
		return private.URLOf(role, database)
	}
	s.admin, err = reach(ctx, private.URL("postgres"))
	return err
}

// reach opens the database that others are created from.
func reach(ctx context.Context, address string) (*sql.DB, error) {
	admin, err := sql.Open("postgres", address)
	if err != nil {
		return nil, fmt.Errorf("open the tests' PostgreSQL: %w", err)
	}
	if err := admin.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("reach the tests' PostgreSQL: %w", errors.Join(err, admin.Close()))
	}
	admin.SetMaxOpenConns(4)
	return admin, nil
}

// dropForgotten removes databases that test processes of the day before yesterday or earlier did not live to drop from a shared server.
// One that is in use after all stays.
func (s *server) dropForgotten(ctx context.Context, now time.Time) error {
	rows, err := s.admin.QueryContext(ctx, "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", sharedPrefix)
	if err != nil {
		return fmt.Errorf("list forgotten test databases: %w", err)
	}
	defer rows.Close()
	var forgotten []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return fmt.Errorf("list forgotten test databases: %w", err)
		}
		day, _, _ := strings.Cut(strings.TrimPrefix(name, sharedPrefix), "_")
		if made, err := time.Parse(dateLayout, day); err == nil && now.Sub(made) >= 48*time.Hour {
			forgotten = append(forgotten, name)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list forgotten test databases: %w", err)
	}
	for _, name := range forgotten {
		_ = s.execute(ctx, "DROP DATABASE IF EXISTS "+pq.QuoteIdentifier(name))
	}
	return nil
}

// template returns how CREATE DATABASE clones the prepared template. On a server that is not ours there is none, as nobody would remove it:
// each database is prepared by itself there.
func (s *server) template(ctx context.Context, wanted state) (clone string, err error) {
	s.starting.Lock()
	defer s.starting.Unlock()
	if s.cluster != nil {
		return s.clusterTemplate(ctx, wanted)
	}
	if wanted != migrated && wanted != undistributed {
		return "", nil
	}
	return s.clone, nil
}

// name makes a database name that tells which test it belongs to.
func (s *server) name(test string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(test))
	const limit = 63 // bytes in a PostgreSQL name
	name := fmt.Sprintf("%s%d_%s", s.prefix, s.made.Add(1), clean)
	return name[:min(len(name), limit)]
}

func (s *server) create(ctx context.Context, name, clone string) (*DB, error) {
	if err := s.execute(ctx, "CREATE DATABASE "+pq.QuoteIdentifier(name)+clone); err != nil {
		return nil, fmt.Errorf("create database %s: %w", name, err)
	}
	urlOf := func(role string) string { return s.address(role, name) }
	db, err := openPool(urlOf(Administrator))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", name, errors.Join(err, s.drop(name)))
	}
	return &DB{URL: urlOf(reconcilersql.AppRole), DB: db, name: name, urlOf: urlOf}, nil
}

// openPool is the pool of one test.
func openPool(address string) (*sqlx.DB, error) {
	db, err := sqlx.Open("postgres", address)
	if err != nil {
		return nil, err
	}
	db.MapperFunc(reconcilersql.ColumnOf)
	db.SetMaxOpenConns(connectionsPerTest)
	db.SetMaxIdleConns(connectionsPerTest) // of more than two at work at once, the others would be closed and opened again all the time
	return db, nil
}

// copy makes a database from another one, one at a time: who is connected to that would be in the way.
func (s *server) copy(ctx context.Context, from, test string) (*DB, error) {
	s.starting.Lock()
	defer s.starting.Unlock()
	clone := " TEMPLATE " + pq.QuoteIdentifier(from)
	var err error
	if s.cluster != nil {
		err = s.cluster.leave(ctx, from)
	} else {
		clone, err = localpg.CloneClause(ctx, s.admin, from)
	}
	if err != nil {
		return nil, err
	}
	return s.create(ctx, s.name(test), clone)
}

// drop removes a database even when a test left sessions open in it.
func (s *server) drop(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := s.execute(ctx, "DROP DATABASE IF EXISTS "+pq.QuoteIdentifier(name)+" WITH (FORCE)")
		// Citus begins a session in each of its databases anew when somebody has ended it.
		var refused *pq.Error
		if s.cluster != nil && ctx.Err() == nil && errors.As(err, &refused) && refused.Code == "55006" {
			continue
		}
		if err != nil {
			return fmt.Errorf("drop database %s: %w", name, err)
		}
		return nil
	}
}

func (s *server) execute(ctx context.Context, statement string) error {
	if s.cluster != nil {
		return s.cluster.onAll(ctx, statement)
	}
	_, err := s.admin.ExecContext(ctx, statement)
	return err
}

// close stops the server; a later test would start another one.
func (s *server) close() error {
	s.starting.Lock()
	defer s.starting.Unlock()
	return s.leave()
}

func (s *server) leave() (failed error) {
	if s.cluster != nil {
		failed = s.cluster.close()
	} else if s.admin != nil {
		failed = s.admin.Close()
	}
	if s.private != nil {
		failed = errors.Join(failed, s.private.Stop())
	}
	s.admin, s.private, s.cluster, s.clone = nil, nil, nil, ""
	return failed
}
