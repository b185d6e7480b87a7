package demo

import (
	"context"
	dbsql "database/sql"
	"fmt"

	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/localpg"
)

// SetUp makes an empty database of a local server what the documentation makes one: the platform's tables, the roles, and the schema that
// its owner has migrated.
func SetUp(ctx context.Context, server *localpg.Server, database string) error {
	admin, err := dbsql.Open("postgres", server.URL(database))
	if err != nil {
		return err
	}
	defer admin.Close()
	if _, err := admin.ExecContext(ctx, sql.Platform); err != nil {
		return fmt.Errorf("create the platform's tables: %w", err)
	}
	if _, err := admin.ExecContext(ctx, sql.Roles); err != nil {
		return fmt.Errorf("create the worker's roles: %w", err)
	}
	owner, err := dbsql.Open("postgres", server.URLOf(sql.OwnerRole, database))
	if err != nil {
		return err
	}
	defer owner.Close()
	_, err = sql.Migrate(ctx, owner)
	return err
}
