package sql

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
)

// check is one thing that the contract asks of a column: bad is true of a row x that breaks it, where ? is the column.
type check struct{ problem, bad string }

var (
	isEmpty      = check{"is empty", "coalesce(?, '') = ''"}
	isNull       = check{"is null", "? IS NULL"}
	isNoQuantity = check{"is null or negative", "(? >= 0) IS NOT TRUE"}
	isNoCurrency = check{"is not a currency of ISO 4217 in lower case", "(? IN ({{ currencies }})) IS NOT TRUE"}
	isNoTime     = check{"is null, before 2000 or after 2199", "(? {{ sane_time }}) IS NOT TRUE"}
	// isNoEnd is for times that may be far off, but have to be ones that can be reckoned with and written down: infinity can't.
	isNoEnd = check{"is before 2000 or after 9999", "(? {{ sane_end }}) IS FALSE"}
)

func in(values ...string) string { return "(? IN ('" + strings.Join(values, "', '") + "'))" }

func noneOf(words string, values ...string) check {
	return check{"is not " + words, in(values...) + " IS NOT TRUE"}
}

// isBefore is of a time that need not be there.
func isBefore(other string) check {
	return check{"is before 2000, after 2199 or before " + other, "(? {{ sane_time }} AND ? >= x." + other + ") IS FALSE"}
}

// Templates of the statements that ask the contract of every relation. They say [[ ]], as {{ }} are fragments.
//
//go:embed contract/*.sql
var contractTemplates embed.FS

var contractTemplate = template.Must(template.New("").Delims("[[", "]]").ParseFS(contractTemplates, "contract/*.sql"))

// contractStatements are the texts of the statements that are made of the table SourceRelations, by name.
func contractStatements() (map[string]string, error) {
	texts := map[string]string{}
	add := func(name, file string, of any) error {
		var text strings.Builder
		if err := contractTemplate.ExecuteTemplate(&text, file, of); err != nil {
			return fmt.Errorf("statement %s: %w", name, err)
		}
		texts[name] = text.String()
		return nil
	}
	for name, file := range map[string]string{"rejects/counts": "counts.sql", "rejects/name": "rejects.sql", "late/reject": "late.sql"} {
		if err := add(name, file, SourceRelations); err != nil {
			return nil, err
		}
	}
	for _, relation := range SourceRelations {
		if err := add(relation.ValuesStatement, "values.sql", relation); err != nil {
			return nil, err
		}
		switch relation.Name {
		case "purchases", "jobs", "credit_entries":
			continue // these are large: a file of queries says which of their ids are searched for
		}
		if err := add(relation.DuplicatesStatement, "duplicates.sql", relation); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// What the templates ask of a relation.

func (r SourceRelation) Valid() string     { return "{{ " + r.valid + " }}" }
func (r SourceRelation) FirstSeen() string { return r.times[0] }
func (r SourceRelation) NamedLate() bool   { return r.namedLate }
func (r SourceRelation) WasRead() bool     { return r.Name == "jobs" || r.Name == "credit_entries" } // when the night was, and counted then

// AccountID is the account of a row x; accounts are of none.
func (r SourceRelation) AccountID() string {
	for _, c := range r.Columns {
		if c.Name == "account_id" {
			return "x.account_id"
		}
	}
	return ""
}

// Owner is the account that a reject of a row x is filed under.
func (r SourceRelation) Owner() string {
	if of := r.AccountID(); of != "" {
		return of
	}
	return "x.id"
}

// During is the condition that a row is of [begin, end).
func (r SourceRelation) During(begin, end string) string {
	var any []string
	for _, t := range r.times {
		any = append(any, fmt.Sprintf("%[1]s >= %[2]s::timestamptz AND %[1]s < %[3]s::timestamptz", t, begin, end))
	}
	return strings.Join(any, " OR ")
}

// OfNight is the condition that a night looks at a row: those of the night, and those whose time can't say of which night they are.
func (r SourceRelation) OfNight() string {
	if r.isWhole {
		return "true"
	}
	return r.During("@begin", "@end") + fmt.Sprintf(" OR %[1]s IS NULL OR %[1]s < timestamptz '2000-01-01 00:00:00Z' OR %[1]s > timestamptz '2199-12-31 23:59:59Z'", r.times[0])
}

// OfEarlierNight is the condition that the night itself doesn't look at a row that is of an earlier one.
func (r SourceRelation) OfEarlierNight() string {
	if len(r.times) == 1 {
		return "true"
	}
	return fmt.Sprintf("(%[1]s < @begin::timestamptz OR %[1]s IS NULL)", r.times[1])
}

// Faults are the checks of a relation as rows of VALUES: field, value, problem, and whether a row x breaks it.
func (r SourceRelation) Faults() string {
	var rows []string
	for _, c := range r.Columns {
		column, value := "x."+c.Name, "x."+c.Name+"::text"
		if c.isPersonal {
			value = "CASE WHEN " + column + " IS NULL THEN NULL ELSE '(set)' END"
		}
		for _, k := range c.checks {
			rows = append(rows, fmt.Sprintf("('%s', %s, '%s', %s)", c.Name, value, k.problem, strings.ReplaceAll(k.bad, "?", column)))
		}
	}
	return strings.Join(rows, ",\n        ")
}
