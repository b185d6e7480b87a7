package localpg

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/lib/pq"
)

// fileCopyVersion is the first that can be told how to copy a template; older ones copy files.
const fileCopyVersion = 150000

// CloneClause ends a CREATE DATABASE statement that copies a template. Without fsync, copying files beats writing them through the log.
func CloneClause(ctx context.Context, admin *sql.DB, template string) (string, error) {
	var version int
	if err := admin.QueryRowContext(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return "", fmt.Errorf("ask for the server's version: %w", err)
	}
	return cloneClause(template, version), nil
}

func cloneClause(template string, version int) string {
	clause := " TEMPLATE " + pq.QuoteIdentifier(template)
	if version >= fileCopyVersion {
		clause += " STRATEGY file_copy"
	}
	return clause
}
