// Package sql holds every SQL text of the worker: the migrations of its own schema, the named statements, the database roles,
// and the reference implementation of the platform's tables. It knows how to find a statement and how to migrate; it must never
// decide anything, and no SQL text of the worker lives outside it.
//
// A statement is one file below queries/, named by its path ("match_jobs/judge"), or made of the table SourceRelations and a template of
// contract/. It says @name for a parameter, source.jobs for a relation of the platform (whatever schema that is; see Catalog for
// every_row_of.jobs), and {{ name }} for a fragment of fragments/, so that a rule that several statements share is written once.
package sql

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/lib/pq"
)

//go:embed migrations/*.sql
var migrations embed.FS

//go:embed queries
var queries embed.FS

//go:embed fragments
var fragments embed.FS

// grants gives the database roles their rights on the worker's tables; with fragments.
//
//go:embed roles/grants.sql
var grants string

// Roles makes the worker's database roles and gives them their rights on the platform in DefaultSourceSchema, whose relations must be there.
// An administrator runs it before the first migration.
//
//go:embed roles/roles.sql
var Roles string

// The roles that Roles makes.
const (
	OwnerRole    = "reconciler_owner"    // owns schema reconciler and migrates it
	AppRole      = "reconciler_app"      // the worker
	ReadOnlyRole = "reconciler_readonly" // looks
	ApproverRole = "reconciler_approver" // approves refund plans
)

// Session is the statement that every session begins with; its one parameter is the limit of a statement in milliseconds, or "".
//
//go:embed session.sql
var Session string

//go:embed platform/schema.sql
var platform string

// LedgerGuard makes the platform's ledger refuse the worker all entries but its own kinds. The platform may add it.
//
//go:embed platform/ledger_guard.sql
var LedgerGuard string

// Platform is the DDL of the reference implementation of the platform's tables, in schema platform, with the LedgerGuard.
var Platform = platform + LedgerGuard

// LedgerView is an example of a view as credit_entries that takes the worker's entries, in schema platform.
//
//go:embed platform/ledger_view.sql
var LedgerView string

// DefaultSourceSchema is where the platform's relations are looked for unless the settings say otherwise.
const DefaultSourceSchema = "platform"

// Statement is one named SQL statement with its parameters in order: Params[0] is $1.
type Statement struct {
	Name   string
	Text   string
	Params []string
}

// Catalog is all statements, bound to the schema that holds the platform's relations. Of a relation whose ids may not be unique, source.jobs
// is its rows less the surplus ones that rejects name, and every_row_of.jobs all of them; of others, the two are the same.
type Catalog struct {
	schema    string // quoted
	ambiguous []string
	raw       map[string]string
	bound     sync.Map // of Statement by name: those that were asked for
}

// Both begin with plain characters, by which they are found fast: a process binds the text of some 170 statements for a single night.
var (
	// With what it is called in the statement; keywords are written in capitals.
	sourceRelation = regexp.MustCompile(`source\.([a-z_]+)(\s+[a-z_]+\b)?`)
	fragmentUse    = regexp.MustCompile(`\{\{\s*[a-z_/]+\s*\}\}`)
)

// expanded are the fragments that were asked for, by name.
var expanded sync.Map

// catalogs keeps what NewCatalog has made: a process may open many stores, and the statements are the same for all.
var catalogs sync.Map // of *Catalog by source schema and what is ambiguous in it

// rawStatements are the statements as they are written, by name.
var rawStatements = sync.OnceValues(readStatements)

// NewCatalog is every embedded statement for the given source schema; the same one for every caller.
// Relations named after it may hold rows whose id is not unique.
func NewCatalog(sourceSchema string, ambiguous ...string) (*Catalog, error) {
	key := strings.Join(append([]string{sourceSchema}, ambiguous...), "\x00")
	if known, ok := catalogs.Load(key); ok {
		return known.(*Catalog), nil
	}
	raw, err := rawStatements()
	if err != nil {
		return nil, fmt.Errorf("load statements: %w", err)
	}
	known, _ := catalogs.LoadOrStore(key, &Catalog{schema: pq.QuoteIdentifier(sourceSchema), ambiguous: ambiguous, raw: raw})
	return known.(*Catalog), nil
}

func readStatements() (map[string]string, error) {
	raw, err := contractStatements()
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(queries, "queries", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(file) != ".sql" {
			return err
		}
		text, err := queries.ReadFile(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, "queries/"), ".sql")
		if _, ok := raw[name]; ok {
			return fmt.Errorf("statement %s is there twice", name)
		}
		raw[name] = string(text)
		return nil
	})
	return raw, err
}

// bindSource puts the platform's relations where a statement names them: what it writes into, and every row of one, are the relation itself.
func bindSource(text, schema string, ambiguous []string) string {
	text = strings.NewReplacer("INTO source.", "INTO "+schema+".", "every_row_of.", schema+".").Replace(text)
	return sourceRelation.ReplaceAllStringFunc(text, func(use string) string {
		parts := sourceRelation.FindStringSubmatch(use)
		relation, alias := parts[1], parts[2]
		table := schema + "." + relation
		if !slices.Contains(ambiguous, relation) {
			return table + alias
		}
		if alias == "" {
			alias = " " + relation
		}
		return fmt.Sprintf(withoutSurplus, table, relation, firstSeen(relation)) + alias
	})
}

// firstSeen is the column that says which of several rows of one id of a relation came first.
func firstSeen(relation string) string {
	i := slices.IndexFunc(SourceRelations, func(r SourceRelation) bool { return r.Name == relation })
	return SourceRelations[i].times[0]
}

// withoutSurplus leaves one row of each id that is known to have more, the first. On one line, so that it fits wherever a relation is named.
const withoutSurplus = "(SELECT s.* FROM %[1]s s WHERE NOT EXISTS (SELECT FROM " + surplusIDs + " AND d.row_id = s.id)" +
	" UNION ALL SELECT k.* FROM (SELECT DISTINCT d.row_id FROM " + surplusIDs + ") d" +
	" CROSS JOIN LATERAL (SELECT s.* FROM (SELECT s.* FROM %[1]s s WHERE s.id = d.row_id OFFSET 0) s ORDER BY s.%[3]s, s::text COLLATE \"C\" LIMIT 1) k)"

const surplusIDs = "reconciler.rejects d WHERE d.relation = '%[2]s' AND d.cause = 'duplicate'"

// Statement returns the statement of that name. Asking for one that doesn't exist is a programming error, as is an unknown fragment, hence the
// panics; a test prepares every name that the code uses.
func (c *Catalog) Statement(name string) Statement {
	if bound, ok := c.bound.Load(name); ok {
		return bound.(Statement)
	}
	raw, ok := c.raw[name]
	if !ok {
		panic("sql: no statement " + name)
	}
	text, err := expandFragments(raw, 0)
	if err != nil {
		panic(fmt.Sprintf("sql: statement %s: %v", name, err))
	}
	text, params := numberParams(strings.TrimSpace(text)) // first, as it leaves out what is said to people
	text = bindSource(text, c.schema, c.ambiguous)
	// The name travels with the text, so that pg_stat_activity and the server's log say which statement it is.
	bound := Statement{Name: name, Text: "/* " + name + " */ " + text, Params: params}
	c.bound.Store(name, bound)
	return bound
}

// insertion is where a statement says into what it inserts what it reads.
var insertion = regexp.MustCompile(`INSERT INTO (\S+ \(([^)]*)\))\s+`)

// Apart is a statement that inserts what it reads as two: one that keeps what is read in a temporary table of that name, and one that inserts it from
// there.
func (s Statement) Apart(table string) (read, insert string, err error) {
	found := insertion.FindAllStringSubmatchIndex(s.Text, -1)
	if len(found) != 1 {
		return "", "", fmt.Errorf("statement %s: inserts what it reads in %d places, not in one", s.Name, len(found))
	}
	at := found[0]
	into, columns := s.Text[at[2]:at[3]], s.Text[at[4]:at[5]]
	table = "pg_temp." + pq.QuoteIdentifier(table)
	return "CREATE TEMPORARY TABLE " + table + " (" + columns + ") AS " + s.Text[:at[0]] + s.Text[at[1]:], "/* " + s.Name + " */ INSERT INTO " + into + " SELECT " + columns + " FROM " + table, nil
}

// Names lists all statements, sorted.
func (c *Catalog) Names() []string {
	return slices.Sorted(maps.Keys(c.raw))
}

func expandFragments(text string, depth int) (string, error) {
	if depth > 8 {
		return "", fmt.Errorf("fragments nest deeper than 8")
	}
	var failure error
	text = fragmentUse.ReplaceAllStringFunc(text, func(use string) string {
		name := strings.TrimSpace(strings.Trim(use, "{}"))
		if known, ok := expanded.Load(name); ok {
			return known.(string)
		}
		raw, err := fragments.ReadFile("fragments/" + name + ".sql")
		if err != nil {
			failure = fmt.Errorf("fragment %s: %w", name, err)
			return ""
		}
		inner, err := expandFragments(strings.TrimSpace(string(raw)), depth+1)
		if err != nil {
			failure = err
			return ""
		}
		expanded.Store(name, inner)
		return inner
	})
	return text, failure
}

// numberParams turns @name into $n outside of quotes and comments; the same name is the same number.
func numberParams(text string) (string, []string) {
	var out strings.Builder
	var params []string
	number := map[string]int{}
	for i := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "--"):
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				end = len(text) - i
			}
			i += end // comments need not travel to the server
		case text[i] == '\'' || text[i] == '"':
			end := strings.IndexByte(text[i+1:], text[i])
			if end < 0 {
				end = len(text) - i - 2
			}
			out.WriteString(text[i : i+end+2])
			i += end + 2
		case text[i] == '@' && i+1 < len(text) && isNameStart(text[i+1]):
			end := i + 1
			for end < len(text) && (isNameStart(text[end]) || text[end] >= '0' && text[end] <= '9') {
				end++
			}
			name := text[i+1 : end]
			if number[name] == 0 {
				params = append(params, name)
				number[name] = len(params)
			}
			fmt.Fprintf(&out, "$%d", number[name])
			i = end
		default:
			next := strings.IndexAny(text[i+1:], `-'"@`)
			if next < 0 {
				next = len(text) - i - 1
			}
			out.WriteString(text[i : i+1+next])
			i += 1 + next
		}
	}
	return out.String(), params
}

// ColumnOf is the column that a field of a Go struct is read from.
func ColumnOf(field string) string {
	return strings.ToLower(wordEnd.ReplaceAllString(field, "${1}${3}_${2}${4}"))
}

// wordEnd is where a word of a field's name ends: before a capital, or before the last capital of several.
var wordEnd = regexp.MustCompile(`([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])`)

func isNameStart(b byte) bool {
	return b == '_' || b >= 'a' && b <= 'z'
}
