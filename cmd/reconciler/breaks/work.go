package breaks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

func newBreaksAssignCommand(s *cli.Settings) *cobra.Command {
	var w jobs.BreakWork
	var due string
	cmd := &cobra.Command{
		Use:         "assign BREAK --to NAME",
		Annotations: cli.Takes("BREAK   the id of an open break, brk_…"),
		Short:       "Say who works on a break",
		Long:        "assign gives an open break an owner. Notes, owner and due date are in breaks show and in the audit log; the books don't change.",
		Example: `  reconciler breaks assign brk_08dcef8b073a8c20d0c0 --to "Ana Ruiz"
  reconciler breaks assign brk_08dcef8b073a8c20d0c0 --to "Ana Ruiz" --by "Ben Ode" --due 2026-12-04`,
		Args: cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.BreakID = args[0]
			if strings.TrimSpace(w.Owner) == "" {
				return cli.UsageError("--to is empty; say who works on it")
			}
			if w.Actor == "" {
				w.Actor = w.Owner // who takes a break says so himself
			}
			if w.State == "" {
				w.State = "investigating"
			}
			return workOnBreak(cmd, s, w, due, "is assigned to "+w.Owner)
		},
	}
	cmd.Flags().StringVar(&w.Owner, "to", "", "who works on it from now on")
	cmd.Flags().StringVar(&w.Actor, "by", "", "who says so (default: whom it is assigned to)")
	cmd.Flags().StringVar(&due, "due", "", "until when, YYYY-MM-DD")
	cmd.Flags().StringVar(&w.State, "state", "", "what it is now: "+strings.Join(jobs.WorkStates, ", ")+" (default: investigating)")
	cmd.Flags().StringVar(&w.Note, "text", "", "what is known")
	return cmd
}

func newBreaksNoteCommand(s *cli.Settings) *cobra.Command {
	var w jobs.BreakWork
	var due string
	cmd := &cobra.Command{
		Use:         "note BREAK --text TEXT --by NAME",
		Annotations: cli.Takes("BREAK   the id of an open break, brk_…"),
		Short:       "Note what is known of a break",
		Example:     `  reconciler breaks note brk_08dcef8b073a8c20d0c0 --text "asked the bank, answer by Friday" --by "Ana Ruiz"`,
		Args:        cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.BreakID = args[0]
			if fault := night.ReasonFault(w.Note); fault != "" {
				return cli.UsageError("--text %s", fault)
			}
			return workOnBreak(cmd, s, w, due, "has another note")
		},
	}
	cmd.Flags().StringVar(&w.Note, "text", "", "what is known")
	cmd.Flags().StringVar(&w.Actor, "by", "", "who notes it")
	cmd.Flags().StringVar(&due, "due", "", "until when it should be settled, YYYY-MM-DD")
	cmd.Flags().StringVar(&w.State, "state", "", "what it is now: "+strings.Join(jobs.WorkStates, ", "))
	return cmd
}

func workOnBreak(cmd *cobra.Command, s *cli.Settings, w jobs.BreakWork, due, said string) error {
	if due != "" {
		var err error
		if w.DueOn, err = reconcile.ParseDate(due); err != nil {
			return cli.UsageError("--due: %w", err)
		}
	}
	if faults := w.Faults(); len(faults) > 0 {
		var texts []string
		for _, flag := range [][2]string{{"break_id", "BREAK"}, {"owner", "--to"}, {"actor", "--by"}, {"note", "--text"}, {"state", "--state"}} {
			if fault := faults[flag[0]]; fault != "" {
				texts = append(texts, flag[1]+" "+fault)
			}
		}
		return cli.UsageError("%s", strings.Join(texts, "; "))
	}
	return wiring.WithStore(cmd, s, func(_ cli.Config, store *postgres.Store) error {
		err := jobs.WorkOnBreak(cmd.Context(), store, time.Now(), w)
		if errors.Is(err, jobs.ErrNotOpen) {
			return cli.UsageError("%w", err)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", w.BreakID, said)
		return nil
	})
}

// showBreakWork lists what people did about a break; nothing where they did nothing.
func showBreakWork(ctx context.Context, store *postgres.Store, id string, out io.Writer) error {
	var work []struct {
		At                        time.Time
		Actor, Owner, State, Note string
		DueOn                     *reconcile.Date
	}
	if err := store.Select(ctx, &work, "breaks/work", postgres.Args{"break_id": id}); err != nil || len(work) == 0 {
		return err
	}
	fmt.Fprintln(out, "\nwork")
	table := terminal.NewTable(out)
	for _, w := range work {
		var said []string
		if w.Owner != "" {
			said = append(said, "assigned to "+w.Owner)
		}
		if w.State != "" {
			said = append(said, w.State)
		}
		if w.DueOn != nil {
			said = append(said, "due on "+w.DueOn.String())
		}
		if w.Note != "" {
			said = append(said, w.Note)
		}
		table.Row("  "+w.At.UTC().Format("2006-01-02 15:04:05 UTC"), "by "+w.Actor, strings.Join(said, "; "))
	}
	return table.End()
}

func dueText(due *reconcile.Date) string {
	if due == nil {
		return "-"
	}
	return due.String()
}
