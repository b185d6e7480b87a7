package postgres_test

import (
	"os"
	"testing"

	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// Every statement must fit the migrated schema: PREPARE parses it, resolves every name and type, and plans nothing.
func TestEveryStatementPrepares(t *testing.T) {
	db := testdb.New(t)
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range catalog.Names() {
		t.Run(name, func(t *testing.T) {
			statement := catalog.Statement(name)
			prepared, err := db.Prepare(statement.Text)
			if err != nil {
				t.Fatalf("%v\n%s", err, statement.Text)
			}
			if err := prepared.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
