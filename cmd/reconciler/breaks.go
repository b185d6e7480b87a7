package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports"
)

func init() { commands = append(commands, newBreaksCommand) }

func newBreaksCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "breaks",
		Short: "Work the open breaks",
		Long:  "breaks lists, shows and resolves breaks, one by one or as a spreadsheet: export, fill in resolution, reason and actor, import.",
	}
	cmd.AddCommand(newBreaksListCommand(s), newBreaksShowCommand(s), newBreaksResolveCommand(s), newBreaksExportCommand(s), newBreaksImportCommand(s))
	return cmd
}

// breakLine is a break as it is now.
type breakLine struct {
	BreakID     string `db:"break_id"`
	Kind        string
	Severity    string
	Status      string
	AccountID   string          `db:"account_id"`
	SubjectType string          `db:"subject_type"`
	SubjectID   string          `db:"subject_id"`
	Field       string          `db:"field"`
	OpenedOn    reconcile.Date  `db:"opened_on"`
	ClosedOn    *reconcile.Date `db:"closed_on"`
	Ours        string
	Theirs      string
	Variance    reports.Number
	Unit        string
	Detail      string
}

// breakFilter is what list and export have in common.
type breakFilter struct {
	kind, severity, account string
	all                     bool
}

func (f *breakFilter) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.kind, "kind", "", "only breaks of this kind")
	cmd.Flags().StringVar(&f.severity, "severity", "", "only breaks of this severity: info, warning or error")
	completes(cmd, "severity", "info", "warning", "error")
	cmd.Flags().StringVar(&f.account, "account", "", "only breaks of this account")
	cmd.Flags().BoolVar(&f.all, "all", false, "closed ones too")
}

func (f breakFilter) args() (postgres.Args, error) {
	if f.kind != "" {
		if _, ok := reconcile.BreakKind(f.kind).Rule(); !ok {
			return nil, usageError("--kind: there are no breaks of kind %q", f.kind)
		}
	}
	if f.severity != "" && reconcile.Severity(f.severity).Rank() < 0 {
		return nil, usageError("--severity: %q is not info, warning or error", f.severity)
	}
	return postgres.Args{"kind": f.kind, "severity": f.severity, "account": f.account, "all": f.all, "break_id": ""}, nil
}

func newBreaksListCommand(s *settings) *cobra.Command {
	var filter breakFilter
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the open breaks, oldest first",
		Example: "  reconciler breaks list --severity error\n  reconciler breaks list --kind duplicate_debit --account acc_17",
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			args, err := filter.args()
			if err != nil {
				return err
			}
			return withReader(cmd, s, func(_ config, store *postgres.Store) error {
				table := reports.NewTextTable(cmd.OutOrStdout(), "BREAK", "KIND", "SEVERITY", "STATUS", "SUBJECT", "VARIANCE", "SINCE")
				count := 0
				err := postgres.Each(cmd.Context(), store, "breaks/list", args, func(b breakLine) error {
					count++
					table.Row(b.BreakID, b.Kind, b.Severity, b.Status, b.SubjectType+" "+b.SubjectID, b.Variance.Text(b.Unit), b.OpenedOn)
					return nil
				})
				if err != nil {
					return err
				}
				if err := table.End(); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s\n", counted(count, "break"))
				return nil
			})
		},
	}
	filter.register(cmd)
	return cmd
}

func newBreaksShowCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:         "show BREAK",
		Annotations: takes("BREAK   a break's id, brk_…"),
		Short:       "Show one break and its history",
		Example:     "  reconciler breaks show brk_08dcef8b073a8c20d0c0",
		Args:        arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withReader(cmd, s, func(_ config, store *postgres.Store) error {
				return showBreak(cmd, store, args[0])
			})
		},
	}
}

func showBreak(cmd *cobra.Command, store *postgres.Store, id string) error {
	var episodes []breakLine
	err := store.Select(cmd.Context(), &episodes, "breaks/list", postgres.Args{"kind": "", "severity": "", "account": "", "all": true, "break_id": id})
	if err != nil {
		return err
	}
	if len(episodes) == 0 {
		return usageError("there is no break %q", id)
	}
	b := episodes[len(episodes)-1]
	rule, _ := reconcile.BreakKind(b.Kind).Rule()
	out := cmd.OutOrStdout()
	table := reports.NewTextTable(out)
	for _, row := range [][2]string{
		{"break", b.BreakID}, {"kind", b.Kind + ": " + rule.Meaning}, {"severity", b.Severity}, {"status", b.Status}, {"account", b.AccountID},
		{"subject", b.SubjectType + " " + b.SubjectID}, {"field", b.Field}, {"ours", reports.AmountOrText(b.Ours, b.Unit)}, {"theirs", reports.AmountOrText(b.Theirs, b.Unit)}, {"variance", b.Variance.Text(b.Unit)},
		{"detail", b.Detail}, {"first seen", b.OpenedOn.String()}, {"what to do", rule.Action},
	} {
		table.Row(row[0], row[1])
	}
	if err := table.End(); err != nil {
		return err
	}
	var history []struct {
		BusinessDate reconcile.Date `db:"business_date"`
		Event        string
		Ours         string
		Theirs       string
		Variance     string
		Unit         string
		Detail       string
		Actor        string
		Resolution   string
		Reason       string
		RecordedAt   time.Time `db:"recorded_at"`
	}
	if err := store.Select(cmd.Context(), &history, "breaks/history", postgres.Args{"break_id": id}); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nhistory")
	table = reports.NewTextTable(out)
	for _, h := range history {
		table.Row("  "+h.BusinessDate.String(), h.Event, "by "+h.Actor, strings.TrimSpace(strings.Join([]string{h.Resolution, h.Reason, h.Detail}, " ")))
	}
	return table.End()
}

func newBreaksResolveCommand(s *settings) *cobra.Command {
	r := jobs.Resolution{Resolution: "corrected"}
	cmd := &cobra.Command{
		Use:         "resolve BREAK --by NAME --reason TEXT",
		Annotations: takes("BREAK   the id of an open break, brk_…"),
		Short:       "Close a break on your own authority",
		Long:        "resolve closes an open break. It stays closed as long as its values stay the same; a change reopens it.",
		Example:     `  reconciler breaks resolve brk_08dcef8b073a8c20d0c0 --by "Ana Ruiz" --reason "second debit reversed by hand"`,
		Args:        arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.BreakID = args[0]
			if faults := r.Faults(); len(faults) > 0 {
				var texts []string
				for _, flag := range [][2]string{{"break_id", "BREAK"}, {"actor", "--by"}, {"reason", "--reason"}, {"resolution", "--as"}} {
					if fault := faults[flag[0]]; fault != "" {
						texts = append(texts, flag[1]+" "+fault)
					}
				}
				return usageError("%s", strings.Join(texts, "; "))
			}
			return withStore(cmd, s, func(c config, store *postgres.Store) error {
				err := jobs.ResolveBreaks(cmd.Context(), store, c.jobs.Zone, time.Now(), []jobs.Resolution{r})
				if errors.Is(err, jobs.ErrNotOpen) {
					return usageError("%w", err)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is resolved\n", r.BreakID)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&r.Actor, "by", "", "who decides")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why")
	cmd.Flags().StringVar(&r.Resolution, "as", r.Resolution, "what became of it: "+strings.Join(jobs.Resolutions, ", "))
	return cmd
}

// exportColumns are the columns of the round trip; the last three are for people to fill in.
var exportColumns = []string{"break_id", "kind", "severity", "status", "account_id", "subject_type", "subject_id", "field", "ours", "theirs", "variance", "unit", "first_seen", "detail",
	"resolution", "reason", "actor"}

func newBreaksExportCommand(s *settings) *cobra.Command {
	var filter breakFilter
	var path string
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Write the open breaks as CSV, to be filled in",
		Example: "  reconciler breaks export --out breaks-to-do.csv",
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			args, err := filter.args()
			if err != nil {
				return err
			}
			return withReader(cmd, s, func(_ config, store *postgres.Store) error {
				return writeOutput(cmd.OutOrStdout(), "--out", path, func(out io.Writer) error {
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
			b.BreakID, b.Kind, b.Severity, b.Status, reports.DefuseText(b.AccountID), b.SubjectType, reports.DefuseText(b.SubjectID), b.Field,
			reports.DefuseText(b.Ours), reports.DefuseText(b.Theirs), string(b.Variance), b.Unit, b.OpenedOn.String(), reports.DefuseText(b.Detail), "", "", "",
		})
	})
	w.Flush()
	return errors.Join(err, w.Error())
}
