package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs/explain"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

func newExplainCommand(s *cli.Settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "explain ID",
		Annotations: cli.Takes("ID   of a purchase, job, refund request, charge, refund, dispute, payment intent, invoice, subscription, balance transaction, payout, ledger entry,\n" +
			"     journal entry, refund plan or break; or an account, or an e-mail address"),
		Short: "Tell the whole story of an id, or of a customer",
		Long: `explain tells everything the books know about an id, in chronological order: the source rows, the decisions with their clauses, the ledger
entries, what Stripe booked and in which payout it left, the refunds that were planned, approved and sent, and the reports they are in.

Of an account or an e-mail address it tells what a support agent needs: purchases with their refund windows, what Stripe charged and for what,
subscriptions with their access, the balance by grant, the last jobs with what was credited back, refund requests with the decision, what the
customer was told and what the money waits for, what Stripe refunded, disputes and open breaks. Of an address that no account has it tells the
charges that were paid with it.`,
		Example: "  reconciler explain req_5512              why was this refund denied?\n  reconciler explain job_8841              was this failed job credited back?\n" +
			"  reconciler explain ana@example.com       what does this customer ask about?\n  reconciler explain po_1QxT --json        what is in this payout?",
		Args: cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return wiring.WithReader(cmd, s, func(_ cli.Config, store *postgres.Store) error {
				told, err := explain.Tell(cmd.Context(), store, time.Now(), args[0])
				if errors.Is(err, explain.ErrUnknown) && strings.Contains(args[0], "@") { // standard error never shows an address
					return cli.UsageError("nothing is known of this e-mail address: no account has it, and no charge that the platform does not know was paid with it")
				}
				if errors.Is(err, explain.ErrUnknown) {
					return cli.UsageError("nothing is known of %w", err)
				}
				if err != nil {
					return err
				}
				if asJSON {
					return writeToldJSON(cmd.OutOrStdout(), told)
				}
				return writeTold(cmd.OutOrStdout(), told)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for programs: amounts in minor units, times in UTC")
	return cmd
}

// writeToldJSON writes each section as an array of objects.
func writeToldJSON(out io.Writer, told explain.Told) error {
	type section struct {
		Section string           `json:"section"`
		Title   string           `json:"title"`
		Rows    []map[string]any `json:"rows"`
	}
	type clause struct {
		ID   string `json:"id"`
		Text string `json:"text"`
	}
	page := struct {
		Query    string    `json:"query"`
		Sections []section `json:"sections"`
		Clauses  []clause  `json:"clauses"`
	}{Query: told.Query, Clauses: []clause{}}
	for _, s := range told.Sections {
		one := section{Section: s.Key, Title: s.Title, Rows: []map[string]any{}}
		for _, row := range s.Rows {
			object := map[string]any{}
			for i, column := range s.Columns {
				object[column.Key] = row[i].Value
			}
			one.Rows = append(one.Rows, object)
		}
		page.Sections = append(page.Sections, one)
	}
	for _, c := range told.Clauses {
		page.Clauses = append(page.Clauses, clause{c.ID, c.Text})
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(page)
}

// writeTold writes a story as paragraphs, and everything else as tables. Text fits 80 columns, so that no terminal breaks its lines anew.
func writeTold(out io.Writer, told explain.Told) error {
	for i, section := range told.Sections {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if section.Key == "story" {
			if err := writeStory(out, told.Query, section); err != nil {
				return err
			}
			continue
		}
		if err := writeSection(out, section); err != nil {
			return err
		}
	}
	if len(told.Clauses) > 0 {
		fmt.Fprintln(out, "\nThe policy says")
	}
	for _, clause := range told.Clauses {
		if _, err := fmt.Fprintf(out, "  %-4s %s\n", clause.ID, cli.WrapText(clause.Text, 80-7, 7)); err != nil {
			return err
		}
	}
	return nil
}

// longText is how wide a cell may be in a table; what is longer has lines of its own below its row.
const longText = 40

func writeSection(out io.Writer, section explain.Section) error {
	if _, err := fmt.Fprintln(out, terminal.OneLine(section.Title)); err != nil {
		return err
	}
	if len(section.Rows) == 0 {
		_, err := fmt.Fprintln(out, "  "+section.Empty)
		return err
	}
	long := map[int]bool{}
	for _, row := range section.Rows {
		for i, cell := range row {
			long[i] = long[i] || len(cell.Text) > longText
		}
	}
	var heading []any
	for i, column := range section.Columns {
		if !long[i] {
			heading = append(heading, strings.ToUpper(column.Title))
		}
	}
	var lines strings.Builder
	table := terminal.NewTable(&lines)
	table.Row(heading...)
	for _, row := range section.Rows {
		var cells []any
		for i, cell := range row {
			if !long[i] {
				cells = append(cells, cli.OrDash(cell.Text))
			}
		}
		table.Row(cells...)
	}
	if err := table.End(); err != nil {
		return err
	}
	for i, line := range strings.Split(strings.TrimRight(lines.String(), "\n"), "\n") {
		fmt.Fprintln(out, "  "+strings.TrimRight(line, " "))
		if i == 0 {
			continue
		}
		for column, cell := range section.Rows[i-1] {
			if long[column] && cell.Text != "" {
				fmt.Fprintf(out, "      %s\n", cli.WrapText(section.Columns[column].Title+": "+cell.Text, 80-10, 10))
			}
		}
	}
	return nil
}

func writeStory(out io.Writer, id string, section explain.Section) error {
	if _, err := fmt.Fprintf(out, "The story of %s (times are UTC)\n\n", terminal.OneLine(id)); err != nil {
		return err
	}
	for _, row := range section.Rows {
		where := row[2].Text
		if row[3].Text != "" {
			where += ", clause " + row[3].Text
		}
		if _, err := fmt.Fprintf(out, "%-19s  %s\n%s  [%s]\n", row[0].Text, cli.WrapText(row[1].Text, 80-21, 21), strings.Repeat(" ", len(time.DateTime)), where); err != nil {
			return err
		}
	}
	return nil
}
