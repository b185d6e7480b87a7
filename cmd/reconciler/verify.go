package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reports/storage"
)

func newVerifyCommand(s *cli.Settings) *cobra.Command {
	var date, period, auditHead string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Recompute a night or a month and compare it with what was stored and published",
		Long: `verify hashes every published file of a night, checks the chain to the night before, recomputes the night from the source, and names
every file and row that differs from what was published, and every table of the books that holds other rows of the night. It changes nothing.
Exit code 3 if anything differs, or what was published is gone.

With --period it does so for a month: the files of all its revisions, its signatures, the chain to its nights' manifests, and a signed month
worked out again from the stored nights.

The audit log is checked against its own hashes. Whoever could rewrite all of it could rewrite those as well: with --audit-head it is also
checked that the chain still has a link that an earlier night has told to its log, as "end of the audit log".`,
		Example: `  reconciler verify --date 2026-11-21
  reconciler verify --period 2026-10
  reconciler verify --date 2026-11-21 --audit-head 812:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.Load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if period != "" && (date != "" || auditHead != "") {
				return cli.UsageError("--period stands alone: it is of a month, --date and --audit-head of a night")
			}
			var m reconcile.Month
			if period != "" {
				if m, err = parsePeriod(period); err != nil {
					return err
				}
			}
			day, err := cli.ParseNight(date, c.Jobs.Zone)
			if err != nil {
				return err
			}
			noted, err := parseAuditHead(auditHead)
			if err != nil {
				return err
			}
			w, closeWorker, err := wiring.NewWorker(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer closeWorker()
			if period != "" {
				return verifyMonth(cmd.Context(), cmd.OutOrStdout(), w, m)
			}
			faults, err := w.Verify(cmd.Context(), day, noted)
			if errors.Is(err, storage.ErrNotPublished) {
				return cli.UsageError("%w", err)
			}
			if err != nil {
				return err
			}
			for _, fault := range faults {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", fault.Where, fault.What)
			}
			if len(faults) > 0 {
				return fmt.Errorf("%w: %d faults in the night of %s", night.ErrIntegrity, len(faults), day)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is what was published: files, chain, and every figure worked out again\n", day)
			return nil
		},
	}
	cmd.Flags().StringVar(&auditHead, "audit-head", "", "LINK:SHA256 as a night's log told them: the audit log must still have it")
	cmd.Flags().StringVar(&period, "period", "", "a month instead, YYYY-MM")
	cmd.Flags().StringVar(&date, "date", "", "business date, YYYY-MM-DD (default: yesterday)")
	return cmd
}

// parseAuditHead reads a link of the audit log as the night's log tells it, number and hash; "" is none.
func parseAuditHead(text string) (head night.AuditHead, err error) {
	if text == "" {
		return head, nil
	}
	link, hash, _ := strings.Cut(text, ":")
	head.Link, err = strconv.ParseInt(link, 10, 64)
	if raw, hexErr := hex.DecodeString(hash); err != nil || hexErr != nil || head.Link < 1 || len(raw) != sha256.Size {
		return head, cli.UsageError("--audit-head: %q is not LINK:SHA256, as 812:9f86…0a08", text)
	}
	head.Sha256 = strings.ToLower(hash)
	return head, nil
}
