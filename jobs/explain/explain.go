// Package explain tells what the database knows of an id, an account or an e-mail address: for a terminal, for a web page, and for programs.
//
// It must never change anything, and what it tells of a customer goes to who asked for that customer, not to a log.
package explain

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

// ErrUnknown says that nothing is known of what was asked for.
var ErrUnknown = errors.New("no purchase, job, refund request, charge, refund, dispute, payment intent, invoice, subscription, balance transaction, payout, ledger entry, journal entry, refund plan, break, account or e-mail address of this name is known")

// Told is what is known.
type Told struct {
	Query    string
	Title    string
	Sections []Section
	// Clauses are those of the policy that the sections cite.
	Clauses []reconcile.Clause
}

// Section is a table. Key names it for programs.
type Section struct {
	Key, Title string
	Columns    []Column
	Rows       [][]Cell
	Empty      string // what is said where there are no rows
}

// Column is a column of a section.
type Column struct{ Key, Title string }

// Cell is one value: as people read it, and as programs do (a text, a number, an amount with its unit, nil).
type Cell struct {
	Text  string
	Value any
}

// Tell says all that is known of a query: the page of an account by its id or e-mail address, and the story of any other id.
func Tell(ctx context.Context, store *postgres.Store, now time.Time, query string) (Told, error) {
	if !utf8.ValidString(query) || strings.Contains(query, "\x00") {
		return Told{}, fmt.Errorf("%q: %w", query, ErrUnknown) // no database keeps such a text, and none may be asked for it
	}
	var accounts []account
	if err := store.Select(ctx, &accounts, "explain/accounts", postgres.Args{"query": query}); err != nil {
		return Told{}, err
	}
	told := Told{Query: query}
	if len(accounts) > 0 {
		told.Title = "Account " + accounts[0].ID
		if len(accounts) > 1 {
			told.Title = fmt.Sprintf("%d accounts with this e-mail address", len(accounts))
		}
		for _, a := range accounts {
			sections, err := a.page(ctx, store, now)
			if err != nil {
				return Told{}, err
			}
			told.Sections = append(told.Sections, sections...)
		}
	}
	story, charges, cited, err := tellStory(ctx, store, now, query)
	if err != nil {
		return Told{}, err
	}
	if len(accounts) == 0 && strings.Contains(query, "@") { // somebody whom the platform doesn't know may have paid all the same
		if err := store.Select(ctx, &charges, "explain/paid_by", postgres.Args{"email": query, "most": mostRows}); err != nil {
			return Told{}, err
		}
	}
	if len(story.Rows) > 0 {
		if told.Title == "" {
			told.Title = "The story of " + query
		}
		told.Sections = append(told.Sections, story)
	}
	if len(charges) > 0 {
		paid, err := WhoPaid(ctx, store, charges)
		if err != nil {
			return Told{}, err
		}
		if told.Title == "" {
			told.Title = "No account has this e-mail address; these charges were paid with it"
		}
		if len(paid.Rows) > 0 {
			told.Sections = append(told.Sections, paid)
		}
	}
	if len(told.Sections) == 0 {
		return Told{}, fmt.Errorf("%q: %w", query, ErrUnknown)
	}
	for _, id := range cited {
		if clause, ok := reconcile.ClauseByID(id); ok {
			told.Clauses = append(told.Clauses, clause)
		}
	}
	return told, nil
}

// storyLine is one thing that happened, and where it is recorded.
type storyLine struct {
	At     sql.NullTime
	Source string
	Clause string
	Says   string
	Detail string // of a break
	Unit   string
}

// tellStory gathers what happened to an id and all that belongs to it, in order of time, the charges among that, and the clauses that it cites.
func tellStory(ctx context.Context, store *postgres.Store, now time.Time, id string) (section Section, charges, cited []string, err error) {
	section = Section{Key: "story", Title: "What happened (times are UTC)", Columns: []Column{{"at", "When"}, {"says", "What"}, {"source", "Where it is recorded"}, {"clause", "Clause"}}}
	lines, about, err := journalEntry(ctx, store, id)
	if err != nil {
		return section, nil, nil, err
	}
	if about != "" { // what an entry is about has a story of its own
		id = about
	}
	var related []struct{ Kind, ID string }
	if err := store.Select(ctx, &related, "explain/find", postgres.Args{"id": id}); err != nil {
		return section, nil, nil, err
	}
	ids := map[string][]string{}
	var subjects, subjectTypes []string                                                                     // of breaks
	rows, relations := []string{id, id, id}, []string{"accounts", "subscription_changes", "credit_entries"} // of the platform
	for _, r := range related {
		ids[r.Kind] = append(ids[r.Kind], r.ID)
		if subject, ok := subjectType(r.Kind); ok {
			subjects, subjectTypes = append(subjects, r.ID), append(subjectTypes, subject)
		}
		if relation, ok := relationOf[r.Kind]; ok {
			rows, relations = append(rows, r.ID), append(relations, relation)
		}
	}
	for _, part := range []struct {
		statement string
		ids       []string
	}{
		{"explain/purchases", ids["purchase"]}, {"explain/charges", ids["charge"]}, {"explain/transactions", append(ids["transaction"], ids["charge"]...)}, {"explain/payouts", ids["payout"]},
		{"explain/invoices", ids["invoice"]}, {"explain/intents", ids["intent"]}, {"explain/subscriptions", ids["subscription"]}, {"explain/jobs", ids["job"]}, {"explain/entries", ids["entry"]},
		{"explain/requests", ids["request"]}, {"explain/refunds", ids["request"]}, {"explain/refund_next", ids["request"]}, {"explain/plans", ids["plan"]}, {"explain/rejects", rows}, {"explain/breaks", subjects},
	} {
		if len(part.ids) == 0 {
			continue
		}
		var found []storyLine
		args := postgres.Args{"ids": part.ids}
		switch part.statement {
		case "explain/refund_next":
			args["as_of"] = now
		case "explain/rejects":
			args["relations"] = relations
		case "explain/breaks":
			args = args.And(postgres.Args{"types": subjectTypes, "charges": append([]string{}, ids["charge"]...), "requests": append([]string{}, ids["request"]...)})
		}
		if err := store.Select(ctx, &found, part.statement, args); err != nil {
			return section, nil, nil, err
		}
		// What happened at one time is told in the order of where it is recorded, however the database finds it: step 2 before step 10.
		slices.SortFunc(found, func(a, b storyLine) int {
			return cmp.Or(cmp.Compare(len(a.Source), len(b.Source)), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Says, b.Says))
		})
		lines = append(lines, found...)
	}
	slices.SortStableFunc(lines, func(a, b storyLine) int { return a.At.Time.Compare(b.At.Time) })
	for _, line := range lines {
		at := Cell{Text: "time unknown"}
		if line.At.Valid {
			at = instant(&line.At.Time)
		}
		says := terminal.WithAmounts(line.Says)
		if line.Detail != "" {
			says += "; " + numbers.InDetail(terminal.OneLine(line.Detail), line.Unit)
		}
		section.Rows = append(section.Rows, []Cell{at, text(says), text(line.Source), text(line.Clause)})
		for _, clause := range strings.Split(line.Clause, ";") {
			if clause = strings.TrimSpace(clause); clause != "" && !slices.Contains(cited, clause) {
				cited = append(cited, clause)
			}
		}
	}
	slices.Sort(cited)
	return section, ids["charge"], cited, nil
}

// relationOf is where the platform keeps the rows of a kind of id that explain/find gives.
var relationOf = map[string]string{"purchase": "purchases", "job": "jobs", "entry": "credit_entries", "request": "refund_requests", "subscription": "subscriptions"}

// subjectType is what breaks call a kind of id that explain/find gives; "" for the id that was asked for, which may be of anything.
func subjectType(kind string) (subject string, ok bool) {
	if subject, ok := strings.CutPrefix(kind, "subject "); ok { // of a break
		return subject, true
	}
	switch kind {
	case "subject":
		return "", true
	case "transaction":
		return "balance_transaction", true
	case "entry":
		return "credit_entry", true
	case "request":
		return "refund_request", true
	case "intent", "plan":
		return "", false
	default:
		return kind, true
	}
}

// journalID is an entry of the journal: its night, and what tells it from the others of that night.
var journalID = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})-[0-9a-v]{12}$`)

// journalEntry are the lines of an entry of the journal, and the row that it comes from: "" where it sums up many, or there is no such entry.
func journalEntry(ctx context.Context, store *postgres.Store, id string) (lines []storyLine, about string, err error) {
	parts := journalID.FindStringSubmatch(id)
	if parts == nil {
		return nil, "", nil
	}
	night, err := reconcile.ParseDate(strings.Join(parts[1:], "-"))
	if err != nil {
		return nil, "", nil // it looks like one, and is none
	}
	var found []struct {
		storyLine
		About string
	}
	if err := store.Select(ctx, &found, "explain/journal", postgres.Args{"date": night, "entry_id": id}); err != nil {
		return nil, "", err
	}
	for _, line := range found {
		lines, about = append(lines, line.storyLine), line.About
	}
	return lines, about, nil
}

func text(s string) Cell { return Cell{Text: terminal.OneLine(s), Value: s} }

func words(s string) Cell {
	return Cell{Text: strings.ReplaceAll(terminal.OneLine(s), "_", " "), Value: s}
}

// instant is a time in UTC, to the second.
func instant(t *time.Time) Cell {
	if t == nil {
		return Cell{}
	}
	return Cell{Text: t.UTC().Format(time.DateTime), Value: t.UTC().Format(time.RFC3339)}
}

// amount is a whole number in a unit; no number where the database has none.
func amount(number sql.NullString, unit string) Cell {
	if !number.Valid {
		return Cell{}
	}
	n := numbers.Number(number.String)
	return Cell{Text: n.Text(unit), Value: figures.Amount{Unit: unit, Value: n}}
}

func credits(number string) Cell {
	return amount(sql.NullString{String: number, Valid: true}, "credits")
}
