// Package postgres is the worker's store: it opens connections as one should to a database that others use too, runs the named
// statements of package sql, and holds the lock of a night. It must never decide what is right or wrong: rules live in package
// reconcile, and in the statements that apply them to sets.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	queries "github.com/hummingbytes/reconciler/sql"
)

// The platform's rows may say infinity, and people ask for those rows, too. The driver reads it only where all of a process agrees on what it
// is: a time that can be written down, and that nothing else stands for.
func init() {
	pq.EnableInfinityTs(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC))
}

// ErrUnavailable marks what is worth another try: the database is out of reach, went away, or a lock is held.
var ErrUnavailable = errors.New("database unavailable")

// Options say how to reach the database.
type Options struct {
	URL             string // postgres://… or a key=value string, as lib/pq takes them
	SourceSchema    string // default queries.DefaultSourceSchema
	ApplicationName string // default "reconciler"
	MaxConnections  int    // default 8
	// StatementTimeout bounds each statement of a transaction that sets no other; 0: the server's.
	StatementTimeout time.Duration
}

// Store runs named statements. Safe for concurrent use.
type Store struct {
	db           *sqlx.DB
	catalog      *queries.Catalog
	sourceSchema string
	timeout      time.Duration
	verifies     bool
	kept         *atomic.Pointer[keptSession]
	onCluster    *atomic.Bool
	rehearsal    *sqlx.Tx // set in a rehearsal: everything happens in it, and nothing of it stays
	given        Args     // parameters that its statements may take beyond those of the call
	// Intercept, when set, sees every statement before (done false) and after (done true) it runs, "begin" and "commit" included,
	// and may fail it: fault sweeps hook in here.
	Intercept func(ctx context.Context, statement string, done bool) error
}

// Open connects lazily: the first statement tells whether the database can be reached.
func Open(o Options) (*Store, error) {
	if o.SourceSchema == "" {
		o.SourceSchema = queries.DefaultSourceSchema
	}
	if o.ApplicationName == "" {
		o.ApplicationName = "reconciler"
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 8
	}
	catalog, err := queries.NewCatalog(o.SourceSchema)
	if err != nil {
		return nil, err
	}
	config, err := readURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	if config.ApplicationName == "" {
		config.ApplicationName = o.ApplicationName
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	config.BinaryParameters = true // a statement and its parameters travel together: one round trip instead of two
	connector, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	kept, onCluster := &atomic.Pointer[keptSession]{}, &atomic.Bool{}
	db := sqlx.NewDb(sql.OpenDB(preparing{connector, kept, onCluster, len(config.Multi) > 0, o.StatementTimeout}), "postgres")
	db.MapperFunc(queries.ColumnOf)
	db.SetMaxOpenConns(o.MaxConnections)
	db.SetMaxIdleConns(o.MaxConnections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	verifies := config.SSLMode == pq.SSLModeVerifyCA || config.SSLMode == pq.SSLModeVerifyFull
	return &Store{db: db, catalog: catalog, sourceSchema: o.SourceSchema, timeout: o.StatementTimeout, verifies: verifies, kept: kept, onCluster: onCluster}, nil
}

// Close gives the connections back.
func (s *Store) Close() error { return s.db.Close() }

// DB is for what isn't a named statement: migrations, health checks.
func (s *Store) DB() *sql.DB { return s.db.DB }

// Verifies says whether the connection is only made with a server whose certificate is of a trusted authority.
func (s *Store) Verifies() bool { return s.verifies }

// SourceSchema is where the platform's relations are.
func (s *Store) SourceSchema() string { return s.sourceSchema }

// WithAmbiguous is the same store for a source in which the ids of some relations need not be unique; see queries.Catalog.
func (s *Store) WithAmbiguous(relations []string) (*Store, error) {
	catalog, err := queries.NewCatalog(s.sourceSchema, relations...)
	if err != nil {
		return nil, err
	}
	guarded := *s
	guarded.catalog = catalog
	return &guarded, nil
}

// With is the same store for statements that may take these parameters too: what is the same for many of them is said once.
func (s *Store) With(given Args) *Store {
	with := *s
	with.given = s.given.And(given)
	return &with
}

// Args are a statement's parameters by name. Every parameter of the statement must be there, or be given by the store, and no other: both are
// mistakes.
type Args map[string]any

// And is both; of a parameter that is in both, the other's value.
func (a Args) And(other Args) Args {
	both := make(Args, len(a)+len(other))
	maps.Copy(both, a)
	maps.Copy(both, other)
	return both
}

// Querier runs named statements, within a transaction or without.
type Querier interface {
	// Exec returns how many rows the statement changed.
	Exec(ctx context.Context, statement string, args Args) (int64, error)
	// Get scans exactly one row into dest (a struct by its fields' names, or db tags; or a scalar); sql.ErrNoRows when there is none.
	Get(ctx context.Context, dest any, statement string, args Args) error
	// Select scans all rows into dest, a pointer to a slice. Only for what is known to be few; otherwise Each.
	Select(ctx context.Context, dest any, statement string, args Args) error
	query(ctx context.Context, statement string, args Args) (*sqlx.Rows, error)
}

// Each streams the rows of a statement through fn in constant memory. An error of fn ends the stream and is returned as it is.
func Each[T any](ctx context.Context, q Querier, statement string, args Args, fn func(T) error) (err error) {
	rows, err := q.query(ctx, statement, args)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := rows.Close(); err == nil && closeErr != nil {
			err = wrap(statement, closeErr)
		}
	}()
	scalar := reflect.TypeFor[T]().Kind() != reflect.Struct || reflect.TypeFor[T]() == reflect.TypeFor[time.Time]()
	for rows.Next() {
		var row T
		if scalar {
			err = rows.Scan(&row)
		} else {
			err = rows.StructScan(&row)
		}
		if err != nil {
			return wrap(statement, err)
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	return wrap(statement, rows.Err())
}

// handle is what *sqlx.DB, *sqlx.Tx and *sqlx.Conn have in common.
type handle interface {
	sqlx.QueryerContext
	sqlx.ExecerContext
}

func (s *Store) Exec(ctx context.Context, statement string, args Args) (int64, error) {
	return s.on(s.root()).Exec(ctx, statement, args)
}

func (s *Store) Get(ctx context.Context, dest any, statement string, args Args) error {
	return s.on(s.root()).Get(ctx, dest, statement, args)
}

func (s *Store) Select(ctx context.Context, dest any, statement string, args Args) error {
	return s.on(s.root()).Select(ctx, dest, statement, args)
}

func (s *Store) query(ctx context.Context, statement string, args Args) (*sqlx.Rows, error) {
	return s.on(s.root()).query(ctx, statement, args)
}

// root is where statements outside of a transaction of their own go.
func (s *Store) root() handle {
	if s.rehearsal != nil {
		return s.rehearsal
	}
	return s.db
}

func (s *Store) on(h handle) *runner { return &runner{store: s, handle: h} }

// runner runs the store's statements on one handle.
type runner struct {
	store  *Store
	handle handle
}

func (r *runner) Exec(ctx context.Context, statement string, args Args) (changed int64, err error) {
	text, values, err := r.bind(statement, args)
	if err != nil {
		return 0, err
	}
	if err := r.store.intercept(ctx, statement, false); err != nil {
		return 0, wrap(statement, err)
	}
	result, err := r.handle.ExecContext(ctx, text, values...)
	if err != nil {
		return 0, wrap(statement, err)
	}
	changed, err = result.RowsAffected()
	if err != nil {
		return 0, wrap(statement, err)
	}
	return changed, wrap(statement, r.store.intercept(ctx, statement, true))
}

func (r *runner) Get(ctx context.Context, dest any, statement string, args Args) error {
	text, values, err := r.bind(statement, args)
	if err != nil {
		return err
	}
	if err := r.store.intercept(ctx, statement, false); err != nil {
		return wrap(statement, err)
	}
	if err := sqlx.GetContext(ctx, r.handle, dest, text, values...); err != nil {
		return wrap(statement, err)
	}
	return wrap(statement, r.store.intercept(ctx, statement, true))
}

func (r *runner) Select(ctx context.Context, dest any, statement string, args Args) error {
	text, values, err := r.bind(statement, args)
	if err != nil {
		return err
	}
	if err := r.store.intercept(ctx, statement, false); err != nil {
		return wrap(statement, err)
	}
	if err := sqlx.SelectContext(ctx, r.handle, dest, text, values...); err != nil {
		return wrap(statement, err)
	}
	return wrap(statement, r.store.intercept(ctx, statement, true))
}

func (r *runner) query(ctx context.Context, statement string, args Args) (*sqlx.Rows, error) {
	text, values, err := r.bind(statement, args)
	if err != nil {
		return nil, err
	}
	if err := r.store.intercept(ctx, statement, false); err != nil {
		return nil, wrap(statement, err)
	}
	rows, err := r.handle.QueryxContext(ctx, text, values...)
	return rows, wrap(statement, err)
}

func (r *runner) bind(statement string, args Args) (string, []any, error) {
	s := r.store.catalog.Statement(statement)
	values, own := make([]any, len(s.Params)), 0
	for i, name := range s.Params {
		value, ok := args[name]
		if ok {
			own++
		} else if value, ok = r.store.given[name]; !ok {
			return "", nil, fmt.Errorf("statement %s: parameter %s is missing", statement, name)
		}
		values[i] = bindable(value)
	}
	if own != len(args) {
		return "", nil, fmt.Errorf("statement %s: takes %v, was given %v", statement, s.Params, slices.Sorted(maps.Keys(args)))
	}
	return s.Text, values, nil
}

// bindable turns slices into PostgreSQL arrays, a nil one into an empty array: NULL would make every comparison with it unknown. Everything
// else is the driver's.
func bindable(value any) any {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Slice:
		if _, bytes := value.([]byte); bytes {
			return value
		}
		if v.IsNil() {
			value = reflect.MakeSlice(v.Type(), 0, 0).Interface()
		}
		return pq.Array(value)
	default:
		return value
	}
}

func (s *Store) intercept(ctx context.Context, statement string, done bool) error {
	if s.Intercept == nil {
		return nil
	}
	return s.Intercept(ctx, statement, done)
}

// wrap adds the statement's name, and says of what kind the error is: worth another try, or a fault of the set-up.
func wrap(operation string, err error) error {
	var said *classedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		return fmt.Errorf("%s: %w", operation, err)
	case transient(err):
		return &classedError{operation, ErrUnavailable, "", err}
	case readOnly(err): // in the midst of work: after a failover the name may lead to the new primary soon
		return &classedError{operation, ErrUnavailable, "the server takes no writes, as a replica or a role that may only read", err}
	case misfit(err):
		return &classedError{operation, ErrSetup, remedyOf(err), err}
	}
	return fmt.Errorf("%s: %w", operation, err)
}
