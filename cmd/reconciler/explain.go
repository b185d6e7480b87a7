package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/jobs/desk"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports"
)

func init() { commands = append(commands, newExplainCommand) }

func newExplainCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:         "explain ID",
		Annotations: takes("ID   of a purchase, job, refund request, charge, refund, dispute, ledger entry, refund plan or break"),
		Short:       "Tell the whole story of an id",
		Long: `explain tells everything the books know about a purchase, job, refund request, charge, refund, dispute, ledger entry, refund plan
or break, in chronological order: the source rows, the decisions with their clauses, the ledger entries, the refunds that were planned, approved and
sent, and the reports they are in.`,
		Example: "  reconciler explain req_5512    why was this refund denied?\n  reconciler explain job_8841    was this failed job credited back?",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withReader(cmd, s, func(_ config, store *postgres.Store) error {
				story, err := tell(cmd.Context(), store, args[0])
				if err != nil {
					return err
				}
				return story.print(cmd.OutOrStdout())
			})
		},
	}
}

// storyLine is one thing that happened, and where it is recorded.
type storyLine struct {
	At     sql.NullTime
	Source string
	Clause string
	Says   string
}

type story struct {
	id    string
	lines []storyLine
}

// tell gathers the story of an id. An id that nothing knows is the caller's mistake.
func tell(ctx context.Context, store *postgres.Store, id string) (story, error) {
	var related []struct{ Kind, ID string }
	if err := store.Select(ctx, &related, "explain/find", postgres.Args{"id": id}); err != nil {
		return story{}, err
	}
	if len(related) == 0 {
		return story{}, usageError("nothing is known of %q: no purchase, job, refund request, charge, refund, dispute, ledger entry, refund plan or break has this id", id)
	}
	ids := map[string][]string{}
	var all []string
	for _, r := range related {
		ids[r.Kind] = append(ids[r.Kind], r.ID)
		all = append(all, r.ID)
	}
	told := story{id: id}
	for _, part := range []struct {
		statement string
		ids       []string
	}{
		{"explain/purchases", ids["purchase"]}, {"explain/charges", ids["charge"]}, {"explain/jobs", ids["job"]}, {"explain/entries", ids["entry"]},
		{"explain/requests", ids["request"]}, {"explain/refunds", ids["request"]}, {"explain/plans", ids["plan"]}, {"explain/breaks", all},
	} {
		if len(part.ids) == 0 {
			continue
		}
		var lines []storyLine
		if err := store.Select(ctx, &lines, part.statement, postgres.Args{"ids": part.ids}); err != nil {
			return story{}, err
		}
		told.lines = append(told.lines, lines...)
	}
	slices.SortStableFunc(told.lines, func(a, b storyLine) int { return a.At.Time.Compare(b.At.Time) })
	return told, nil
}

func (s story) print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "The story of %s (times are UTC)\n\n", reports.OneLine(s.id)); err != nil {
		return err
	}
	var cited []string
	for _, line := range s.lines {
		at := "time unknown       "
		if line.At.Valid {
			at = line.At.Time.UTC().Format(time.DateTime)
		}
		where := line.Source
		for _, clause := range strings.Split(line.Clause, ";") {
			if clause = strings.TrimSpace(clause); clause != "" && !slices.Contains(cited, clause) {
				cited = append(cited, clause)
			}
		}
		if line.Clause != "" {
			where += ", clause " + line.Clause
		}
		if _, err := fmt.Fprintf(w, "%s  %s\n%s  [%s]\n", at, wrapText(reports.WithAmounts(line.Says), 78, 21), strings.Repeat(" ", len(time.DateTime)), reports.OneLine(where)); err != nil {
			return err
		}
	}
	slices.Sort(cited)
	if len(cited) > 0 {
		if _, err := fmt.Fprintln(w, "\nThe policy says"); err != nil {
			return err
		}
	}
	for _, id := range cited {
		clause, ok := reconcile.ClauseByID(id)
		if !ok {
			continue
		}
		if _, err := fmt.Fprintf(w, "  %-4s %s\n", id, wrapText(clause.Text, 90, 7)); err != nil {
			return err
		}
	}
	return nil
}

// section is the story as a table.
func (s story) section() desk.Section {
	table := desk.Section{Title: "What happened (times are UTC)", Columns: []string{"When", "What", "Where it is recorded"}}
	for _, line := range s.lines {
		at := "time unknown"
		if line.At.Valid {
			at = line.At.Time.UTC().Format(time.DateTime)
		}
		table.Rows = append(table.Rows, []string{at, reports.WithAmounts(line.Says), joined(", clause ", line.Source, line.Clause)})
	}
	return table
}

// wrapText breaks text into lines of at most width characters, the later ones indented.
func wrapText(text string, width, indent int) string {
	var out strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i > 0 && column+1+len(word) > width:
			out.WriteString("\n" + strings.Repeat(" ", indent))
			column = 0
		case i > 0:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += len(word)
	}
	return out.String()
}
