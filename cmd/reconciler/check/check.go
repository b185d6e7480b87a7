// Package check looks at everything that a night relies on: for the command check, and before every command that works on nights.
package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/sql"
)

// Outcome grades one line of the check-up.
type Outcome string

const (
	OK      Outcome = "ok"
	Warning Outcome = "warning"
	Failed  Outcome = "FAILED"
	Skipped Outcome = "skipped"
)

// Line is what one thing turned out to be, and the fix where it isn't as it should be.
type Line struct {
	Check  string  `json:"check"`
	Result Outcome `json:"result"`
	Found  string  `json:"found"`
	Fix    string  `json:"fix,omitempty"`
	// Retry: nothing has to be changed, it could not be looked at for now.
	Retry bool `json:"retry,omitempty"`
}

// NewCommand is the command check.
func NewCommand(s *cli.Settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Prove the set-up before the first night",
		Long: `check looks at everything a night relies on: settings, policy, database, encryption, role, time-outs, connections, clocks, time zone of
the nights, poolers, schema, the nodes of a Citus cluster, nights left broken, every relation and column of the source and what is in it,
rights (too few and too many), row-level security, collations, whether the ledger takes entries, indexes, statistics, the replica, Stripe
key and mode, report storage, room on disk, and where metrics go. A line for each: what is wrong, and the fix.

It changes nothing, apart from small files that it writes where reports, temporary files and metrics go, and removes again. Warnings don't
make it fail. What does in the database is refused, with the same exit code, by every command that works on nights. It can't see what only
the server's own machine knows, such as the room left on the database's disk.`,
		Example: `  reconciler check
  reconciler check --json`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, settingsErr := s.Load(io.Discard)
			checkup := &checkup{config: c, metrics: s.MetricsTargets()}
			checkup.settings(settingsErr)
			if settingsErr == nil || c.DatabaseURL != "" {
				checkup.run(cmd.Context())
			}
			if err := checkup.print(cli.NewRedactor(cmd.OutOrStdout(), s.Secrets()), asJSON); err != nil {
				return err
			}
			return checkup.verdict()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON array instead of lines")
	return cmd
}

type checkup struct {
	config  cli.Config
	metrics cli.MetricsTargets
	lines   []Line
	// nightsZone is the time zone of the nights that there are, once it is known.
	nightsZone *time.Location
	// cluster is what the database is distributed over, once that is known; nil: nothing is.
	cluster *sql.Cluster
}

func (c *checkup) add(check string, result Outcome, fix, found string, args ...any) {
	c.lines = append(c.lines, Line{Check: check, Result: result, Found: fmt.Sprintf(found, args...), Fix: fix})
}

// fail adds a line about an error: with the fix where the operator has to change something, else with what to do once it is back.
func (c *checkup) fail(check, fix, away string, err error) {
	line := Line{Check: check, Result: Failed, Found: err.Error(), Fix: fix}
	switch jobs.VerdictOf(err) {
	case jobs.Retry:
		line.Found, line.Fix, line.Retry = "out of reach: "+line.Found, away, true
	case jobs.Unforeseen:
		line.Retry = !errors.Is(err, cli.ErrUsage)
	}
	c.lines = append(c.lines, line)
}

func (c *checkup) settings(err error) {
	if err == nil {
		c.add("settings", OK, "", "all readable")
		version, err := c.config.Policies.At(time.Now())
		if err != nil {
			c.add("policy", Failed, "give the policy a version whose effective_from is in the past", "no version is in force today")
			return
		}
		c.add("policy", OK, "", "version %s in force, %s in all", version.Version, cli.Counted(len(c.config.Policies.Versions()), "version"))
		return
	}
	faults := strings.Split(err.Error(), "\n")
	for _, fault := range faults[min(1, len(faults)-1):] {
		c.add("settings", Failed, "correct the environment variable or flag", "%s", fault)
	}
}

func (c *checkup) run(ctx context.Context) {
	if c.config.DatabaseURL != "" {
		c.database(ctx)
	}
	c.stripe(ctx)
	c.storage(ctx)
	c.temporary()
	c.figures(ctx)
}

func (c *checkup) storage(ctx context.Context) {
	store, err := storage.Open(c.config.ReportsURL)
	if err == nil {
		err = store.Check(ctx)
	}
	if err != nil {
		c.fail("report storage", "give the worker a REPORTS_URL it may write to", "make room, or make it reachable and writable again; nights are retried until then", err)
	} else {
		c.add("report storage", OK, "", "a file was written, read back and removed")
	}
	if folder, ok := store.(*storage.Folder); ok && err == nil {
		c.disk("reports' disk", folder.Root())
	}
}

// leastFree is less than the reports and temporary files of a few big nights need.
const leastFree = 1 << 30

// disk says how much room is left where a folder is.
func (c *checkup) disk(check, folder string) {
	free, ok, err := freeSpace(folder)
	switch {
	case err != nil:
		c.add(check, Failed, "give the worker a folder it can use", "%s: %v", folder, err)
	case !ok: // this system can't be asked
	case free < leastFree:
		c.add(check, Warning, "make room: a big night needs about a gibibyte", "%s free in %s", mebibytes(free), folder)
	default:
		c.add(check, OK, "", "%s free in %s", mebibytes(free), folder)
	}
}

func mebibytes(bytes uint64) string {
	if bytes >= 10<<30 {
		return fmt.Sprintf("%d GiB", bytes>>30)
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

// temporary files are where a night builds what it uploads, and sorts what is too big for memory.
func (c *checkup) temporary() {
	file, err := os.CreateTemp("", ".reconciler-check-")
	if err == nil {
		err = errors.Join(file.Close(), os.Remove(file.Name()))
	}
	if err != nil {
		c.fail("temporary files", "mount something writable at /tmp, or set TMPDIR", "make room there", storage.Classed(err))
		return
	}
	c.disk("temporary files", os.TempDir())
}

// figures tries the places where one-shot runs leave their metrics.
func (c *checkup) figures(ctx context.Context) {
	if gateway := c.metrics.PushURL; gateway != "" {
		ctx, cancel := context.WithTimeout(ctx, cli.MetricsPatience)
		defer cancel()
		err := askGateway(ctx, gateway)
		if err != nil {
			c.add("Pushgateway", Warning, "correct RECONCILER_PUSHGATEWAY_URL, or open its port in the network policy; nights run all the same", "%v", err)
		} else {
			c.add("Pushgateway", OK, "", "answers")
		}
	}
	if path := c.metrics.Textfile; path != "" {
		file, err := os.CreateTemp(filepath.Dir(path), ".reconciler-check-")
		if err == nil {
			err = errors.Join(file.Close(), os.Remove(file.Name()))
		}
		if err != nil {
			c.add("metrics file", Warning, "give the worker a folder it may write to; nights run all the same", "%v", err)
		} else {
			c.add("metrics file", OK, "", "%s can be written", path)
		}
	}
}

func askGateway(ctx context.Context, gateway string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(gateway, "/")+"/-/ready", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: no Pushgateway, or not ready", request.URL.Redacted(), response.Status)
	}
	return nil
}

func (c *checkup) print(w io.Writer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(c.lines)
	}
	width := 0
	for _, line := range c.lines {
		width = max(width, len(line.Check))
	}
	for _, line := range c.lines {
		if _, err := fmt.Fprintf(w, "%-7s  %-*s  %s\n", line.Result, width, line.Check, line.Found); err != nil {
			return err
		}
		if line.Fix != "" {
			if _, err := fmt.Fprintf(w, "%-7s  %-*s  fix: %s\n", "", width, "", strings.ReplaceAll(line.Fix, "\n", "\n"+strings.Repeat(" ", width+11))); err != nil {
				return err
			}
		}
	}
	return nil
}

// errCheckedAgain is the end of a check-up in which nothing has to be changed, but something could not be looked at.
var errCheckedAgain = errors.New("out of reach")

// verdict is nil when nothing failed, and a usage error when the operator has to change something.
func (c *checkup) verdict() error {
	failed, away := 0, 0
	for _, line := range c.lines {
		if line.Result == Failed {
			failed++
			if line.Retry {
				away++
			}
		}
	}
	switch {
	case failed == 0:
		return nil
	case away == failed:
		return fmt.Errorf("%w: %s failed; try again", errCheckedAgain, cli.Counted(failed, "check"))
	default:
		return cli.UsageError("%s failed", cli.Counted(failed, "check"))
	}
}
