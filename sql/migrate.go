package sql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

// ErrNewerSchema says that the database was migrated by a newer binary than this one; running it could misread the data.
var ErrNewerSchema = errors.New("the reconciler schema is newer than this binary")

// versionTable is qualified, so that the worker's bookkeeping stays in its own schema.
const versionTable = "reconciler.schema_migrations"

// provider builds the migrator. The session lock makes concurrent starts wait for each other.
func provider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, err
	}
	store, err := database.NewStore(database.DialectPostgres, versionTable)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider("", db, files, goose.WithStore(store), goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
}

// Migrate brings the reconciler schema up to date and returns how many migrations it applied. Forward only.
// It is safe under concurrent starts, and refuses with ErrNewerSchema a schema newer than the binary.
func Migrate(ctx context.Context, db *sql.DB) (applied int, err error) {
	if _, err := PendingMigrations(ctx, db); err != nil {
		return 0, err
	}
	if err := createSchema(ctx, db); err != nil {
		return 0, err
	}
	p, err := provider(db)
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	results, err := p.Up(ctx)
	if err != nil {
		return len(results), fmt.Errorf("migrate: %w", err)
	}
	// New tables have no rights yet. The rights are set even when nothing was migrated, so that a repeat mends them.
	text, err := expandFragments(grants, 0)
	if err != nil {
		return len(results), err
	}
	if _, err := db.ExecContext(ctx, text); err != nil {
		return len(results), fmt.Errorf("migrate: grant the roles their rights: %w", err)
	}
	return len(results), nil
}

// createSchema makes the schema unless it is there; two starts at once may both try.
func createSchema(ctx context.Context, db *sql.DB) error {
	var exists bool
	if err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'reconciler')").Scan(&exists); err != nil {
		return fmt.Errorf("look for schema reconciler: %w", err)
	}
	if exists {
		return nil
	}
	_, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS reconciler")
	if err == nil {
		return nil
	}
	if again := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'reconciler')").Scan(&exists); again == nil && exists {
		return nil
	}
	return fmt.Errorf("create schema reconciler: %w", err)
}

// NewestMigration is the version of the newest schema that this binary knows.
func NewestMigration() (newest int64, err error) {
	entries, err := migrations.ReadDir("migrations")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		version, err := goose.NumericComponent(e.Name())
		if err != nil {
			return 0, err
		}
		newest = max(newest, version)
	}
	return newest, nil
}

// SchemaFingerprint changes with whatever a database is made of: migrations, roles and rights, the platform's tables, and where tables are placed.
func SchemaFingerprint() (string, error) {
	rights, err := expandFragments(grants, 0)
	if err != nil {
		return "", err
	}
	return fingerprint(migrations, rights, Roles, Platform, fmt.Sprint(Placements), fmt.Sprint(PlatformPlacements))
}

// fingerprint is of texts, and of files with their names: a database knows its migrations by their numbers.
func fingerprint(files fs.FS, texts ...string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q", texts)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		fmt.Fprintf(sum, "%q", []string{name, string(text)})
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// PendingMigrations counts the migrations that the database lacks, reading only. ErrNewerSchema as for Migrate.
func PendingMigrations(ctx context.Context, db *sql.DB) (int, error) {
	newest, err := NewestMigration()
	if err != nil {
		return 0, err
	}
	entries, err := migrations.ReadDir("migrations")
	if err != nil {
		return 0, err
	}
	var table sql.NullString
	if err := db.QueryRowContext(ctx, "SELECT to_regclass($1)::text", versionTable).Scan(&table); err != nil {
		return 0, fmt.Errorf("look for the reconciler schema: %w", err)
	}
	if !table.Valid {
		return len(entries), nil
	}
	var current int64
	if err := db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+versionTable+" WHERE is_applied").Scan(&current); err != nil {
		return 0, fmt.Errorf("read the schema version: %w", err)
	}
	if current > newest {
		return 0, fmt.Errorf("%w: database at %d, binary knows up to %d; deploy the newer binary", ErrNewerSchema, current, newest)
	}
	pending := 0
	for _, e := range entries {
		if version, _ := goose.NumericComponent(e.Name()); version > current {
			pending++
		}
	}
	return pending, nil
}
