// Package breaks has the commands with which people work on breaks.
package breaks

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/explain"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

// NewCommand is the command breaks.
func NewCommand(s *cli.Settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "breaks",
		Short: "Work the open breaks",
		Long: `breaks lists and shows breaks, says who works on them and what is known, and resolves them, one by one or as a spreadsheet: export, fill in
resolution, reason and actor, import.`,
	}
	cmd.AddCommand(newBreaksListCommand(s), newBreaksShowCommand(s), newBreaksAssignCommand(s), newBreaksNoteCommand(s), newBreaksResolveCommand(s),
		newBreaksExportCommand(s), newBreaksImportCommand(s))
	return cmd
}

// breakLine is a break as it is now. As JSON it has the names of breaks.csv, amounts in minor units.
type breakLine struct {
	BreakID     string          `json:"break_id"`
	Kind        string          `json:"kind"`
	Severity    string          `json:"severity"`
	Status      string          `json:"status"`
	AccountID   string          `json:"account_id"`
	SubjectType string          `json:"subject_type"`
	SubjectID   string          `json:"subject_id"`
	Field       string          `json:"field"`
	Ours        string          `json:"ours"`
	Theirs      string          `json:"theirs"`
	Variance    numbers.Number  `json:"variance"`
	Unit        string          `json:"unit"`
	OpenedOn    reconcile.Date  `json:"first_seen"`
	ClosedOn    *reconcile.Date `json:"closed_on,omitempty"`
	AgeDays     int             `json:"age_days"`
	Detail      string          `json:"detail"`
	Action      string          `db:"-" json:"action"`
	Owner       string          `json:"owner"`
	WorkState   string          `json:"state"` // open or investigating; "" once it is closed
	DueOn       *reconcile.Date `json:"due_on,omitempty"`
	Notes       int             `json:"notes"` // how many there are; breaks show has them
}

// breakFilter is what list and export have in common.
type breakFilter struct {
	jobs.BreakFilter
	all bool
}

func (f *breakFilter) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.Kind, "kind", "", "only breaks of this kind")
	cmd.Flags().StringVar(&f.Severity, "severity", "", "only breaks of this severity: info, warning or error")
	cli.Completes(cmd, "severity", "info", "warning", "error")
	cmd.Flags().StringVar(&f.Account, "account", "", "only breaks of this account")
	cmd.Flags().StringVar(&f.Subject, "subject", "", "only breaks of this job, purchase, charge, refund or other subject")
	cmd.Flags().StringVar(&f.Owner, "owner", "", "only breaks that this person works on")
	cmd.Flags().BoolVar(&f.Unowned, "unowned", false, "only breaks that nobody works on")
	cmd.Flags().StringVar(&f.State, "state", "", "only open breaks in this state of work: "+strings.Join(jobs.WorkStates, " or "))
	cli.Completes(cmd, "state", jobs.WorkStates...)
	cmd.Flags().StringVar(&f.Due, "due", "", "only breaks that are due by this date")
	cmd.Flags().BoolVar(&f.Overdue, "overdue", false, "only breaks that were due before today")
	cmd.Flags().IntVar(&f.MinAge, "min-age", 0, "only breaks that are at least this many days old")
	cmd.Flags().BoolVar(&f.all, "all", false, "closed ones too")
}

// check says what is wrong with the filter.
func (f breakFilter) check() error {
	faults := f.Faults()
	var texts []string
	for _, field := range slices.Sorted(maps.Keys(faults)) {
		texts = append(texts, "--"+strings.ReplaceAll(field, "_", "-")+" "+faults[field])
	}
	if len(texts) > 0 {
		return cli.UsageError("%s", strings.Join(texts, "; "))
	}
	return nil
}

// args are the filter's, or those of one break.
func (f breakFilter) args(today reconcile.Date, breakID string) postgres.Args {
	args := f.Args(today)
	args["all"], args["break_id"] = f.all, breakID
	return args
}

// todayIn is the business date that is going on.
func todayIn(zone *time.Location) reconcile.Date { return reconcile.DateOf(time.Now().In(zone)) }

func newBreaksListCommand(s *cli.Settings) *cobra.Command {
	var filter breakFilter
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the open breaks, oldest first",
		Example: `  reconciler breaks list --severity error
  reconciler breaks list --kind duplicate_debit --account acc_17
  reconciler breaks list --unowned --min-age 3     what nobody has taken for three days
  reconciler breaks list --overdue                 what should have been settled before today
  reconciler breaks list --owner "Ana Ruiz" --due 2026-12-04 --json`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := filter.check(); err != nil {
				return err
			}
			return wiring.WithReader(cmd, s, func(c cli.Config, store *postgres.Store) error {
				args := filter.args(todayIn(c.Jobs.Zone), "")
				if asJSON {
					return listBreaksAsJSON(cmd.Context(), store, args, cmd.OutOrStdout())
				}
				table := terminal.NewTable(cmd.OutOrStdout(), "BREAK", "KIND", "SEVERITY", "STATUS", "SUBJECT", "VARIANCE", "SINCE", "DAYS", "OWNER")
				count := 0
				err := postgres.Each(cmd.Context(), store, "breaks/list", args, func(b breakLine) error {
					count++
					table.Row(b.BreakID, b.Kind, b.Severity, b.Status, b.SubjectType+" "+b.SubjectID, cli.OrDash(b.Variance.Difference(b.Unit)), b.OpenedOn, b.AgeDays, cli.OrDash(b.Owner))
					return nil
				})
				if err != nil {
					return err
				}
				if err := table.End(); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s\n", cli.Counted(count, "break"))
				return nil
			})
		},
	}
	filter.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "as a JSON array, amounts in minor units")
	return cmd
}

// listBreaksAsJSON writes an array, a break a line, however many there are.
func listBreaksAsJSON(ctx context.Context, store *postgres.Store, args postgres.Args, out io.Writer) error {
	separator := "[\n"
	err := postgres.Each(ctx, store, "breaks/list", args, func(b breakLine) error {
		rule, _ := reconcile.BreakKind(b.Kind).Rule()
		b.Action = rule.Action
		line, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("break %s: %w", b.BreakID, err)
		}
		_, err = fmt.Fprintf(out, "%s  %s", separator, line)
		separator = ",\n"
		return err
	})
	if err != nil {
		return err
	}
	end := "\n]\n"
	if separator == "[\n" {
		end = "[]\n"
	}
	_, err = io.WriteString(out, end)
	return err
}

func newBreaksShowCommand(s *cli.Settings) *cobra.Command {
	return &cobra.Command{
		Use:         "show BREAK",
		Annotations: cli.Takes("BREAK   a break's id, brk_…"),
		Short:       "Show one break and its history",
		Example:     "  reconciler breaks show brk_08dcef8b073a8c20d0c0",
		Args:        cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return wiring.WithReader(cmd, s, func(c cli.Config, store *postgres.Store) error {
				return showBreak(cmd, store, todayIn(c.Jobs.Zone), args[0])
			})
		},
	}
}

func showBreak(cmd *cobra.Command, store *postgres.Store, today reconcile.Date, id string) error {
	var episodes []breakLine
	err := store.Select(cmd.Context(), &episodes, "breaks/list", breakFilter{all: true}.args(today, id))
	if err != nil {
		return err
	}
	if len(episodes) == 0 {
		return cli.UsageError("there is no break %q", id)
	}
	b := episodes[len(episodes)-1]
	rule, _ := reconcile.BreakKind(b.Kind).Rule()
	out := cmd.OutOrStdout()
	table := terminal.NewTable(out)
	rows := [][2]string{
		{"break", b.BreakID}, {"kind", b.Kind + ": " + rule.Meaning}, {"severity", b.Severity}, {"status", b.Status}, {"account", b.AccountID},
		{"subject", b.SubjectType + " " + b.SubjectID}, {"field", b.Field}, {"ours", numbers.AmountOrText(b.Ours, b.Unit)}, {"theirs", numbers.AmountOrText(b.Theirs, b.Unit)}, {"variance", cli.OrDash(b.Variance.Difference(b.Unit))},
		{"detail", numbers.InDetail(b.Detail, b.Unit)}, {"first seen", fmt.Sprintf("%s, %s ago", b.OpenedOn, cli.Counted(b.AgeDays, "day"))}, {"what to do", rule.Action},
		{"owner", cli.OrDash(b.Owner)},
	}
	if b.Status == "open" {
		rows = append(rows, [2]string{"state", b.WorkState}, [2]string{"due on", dueText(b.DueOn)})
	}
	for _, row := range rows {
		table.Row(row[0], row[1])
	}
	if err := table.End(); err != nil {
		return err
	}
	var history []struct {
		BusinessDate reconcile.Date
		Event        string
		Unit         string
		Detail       string
		Actor        string
		Resolution   string
		Reason       string
	}
	if err := store.Select(cmd.Context(), &history, "breaks/history", postgres.Args{"break_id": id}); err != nil {
		return err
	}
	if err := showBreakWork(cmd.Context(), store, id, out); err != nil {
		return err
	}
	if err := showWhoPaid(cmd.Context(), store, b, out); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nhistory")
	table = terminal.NewTable(out)
	for _, h := range history {
		table.Row("  "+h.BusinessDate.String(), h.Event, "by "+h.Actor, joined("; ", joined(": ", h.Resolution, h.Reason), numbers.InDetail(h.Detail, h.Unit)))
	}
	return table.End()
}

// showWhoPaid shows all that is known of who paid the charge that a break is about; nothing where it is about none.
func showWhoPaid(ctx context.Context, store *postgres.Store, b breakLine, out io.Writer) error {
	if b.SubjectType != "charge" {
		return nil
	}
	paid, err := explain.WhoPaid(ctx, store, []string{b.SubjectID})
	if err != nil || len(paid.Rows) == 0 {
		return err
	}
	fmt.Fprintln(out, "\nwho paid")
	table := terminal.NewTable(out)
	for i, cell := range paid.Rows[0] {
		table.Row("  "+strings.ToLower(paid.Columns[i].Title[:1])+paid.Columns[i].Title[1:], cli.OrDash(cell.Text))
	}
	return table.End()
}

// joined are the texts that say something, in one line.
func joined(separator string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), separator)
}

func newBreaksResolveCommand(s *cli.Settings) *cobra.Command {
	r := jobs.Resolution{Resolution: "corrected"}
	cmd := &cobra.Command{
		Use:         "resolve BREAK --by NAME --reason TEXT",
		Annotations: cli.Takes("BREAK   the id of an open break, brk_…"),
		Short:       "Close a break on your own authority",
		Long: "resolve closes an open break. It stays closed as long as its values stay the same; a change reopens it.\n" +
			"Of a payment or its refunds the journal follows: corrected says that the difference was paid elsewhere than at Stripe, accepted and written_off that it\nstays; a payment that isn't at Stripe at all was made elsewhere unless it is written_off.",
		Example: `  reconciler breaks resolve brk_08dcef8b073a8c20d0c0 --by "Ana Ruiz" --reason "second debit reversed by hand"`,
		Args:    cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.BreakID = args[0]
			if faults := r.Faults(); len(faults) > 0 {
				var texts []string
				for _, flag := range [][2]string{{"break_id", "BREAK"}, {"actor", "--by"}, {"reason", "--reason"}, {"resolution", "--as"}} {
					if fault := faults[flag[0]]; fault != "" {
						texts = append(texts, flag[1]+" "+fault)
					}
				}
				return cli.UsageError("%s", strings.Join(texts, "; "))
			}
			return wiring.WithStore(cmd, s, func(c cli.Config, store *postgres.Store) error {
				err := jobs.ResolveBreaks(cmd.Context(), store, time.Now(), []jobs.Resolution{r})
				if errors.Is(err, jobs.ErrNotOpen) {
					return cli.UsageError("%w", err)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is resolved\n", r.BreakID)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&r.Actor, "by", "", "who decides; required")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why")
	cmd.Flags().StringVar(&r.Resolution, "as", r.Resolution, "what became of it: "+strings.Join(jobs.Resolutions, ", "))
	return cmd
}

// exportColumns are the columns of the round trip; the last three are for people to fill in.
var exportColumns = []string{"break_id", "kind", "severity", "status", "account_id", "subject_type", "subject_id", "field", "ours", "theirs", "variance", "unit", "first_seen", "detail",
	"resolution", "reason", "actor"}

func newBreaksExportCommand(s *cli.Settings) *cobra.Command {
	var filter breakFilter
	var path string
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Write the open breaks as CSV, to be filled in",
		Example: "  reconciler breaks export --out breaks-to-do.csv",
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := filter.check(); err != nil {
				return err
			}
			return wiring.WithReader(cmd, s, func(c cli.Config, store *postgres.Store) error {
				args := filter.args(todayIn(c.Jobs.Zone), "")
				return cli.WriteOutput(cmd.OutOrStdout(), "--out", path, func(out io.Writer) error {
					return exportBreaks(cmd.Context(), store, args, out)
				})
			})
		},
	}
	filter.register(cmd)
	cmd.Flags().StringVar(&path, "out", "", "file to write (default: standard output)")
	return cmd
}

// exportBreaks writes the breaks that a filter lets through as CSV, with text that a spreadsheet would run as a formula defused.
func exportBreaks(ctx context.Context, store *postgres.Store, filter postgres.Args, out io.Writer) error {
	w := csv.NewWriter(out)
	if err := w.Write(exportColumns); err != nil {
		return err
	}
	err := postgres.Each(ctx, store, "breaks/list", filter, func(b breakLine) error {
		return w.Write([]string{
			b.BreakID, b.Kind, b.Severity, b.Status, tables.DefuseText(b.AccountID), b.SubjectType, tables.DefuseText(b.SubjectID), b.Field,
			tables.DefuseText(b.Ours), tables.DefuseText(b.Theirs), string(b.Variance), b.Unit, b.OpenedOn.String(), tables.DefuseText(b.Detail), "", "", "",
		})
	})
	w.Flush()
	return errors.Join(err, w.Error())
}
