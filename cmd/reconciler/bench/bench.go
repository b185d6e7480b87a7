// Package bench measures nights on invented data, on a server of its own.
package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/sql"
)

// measure is one line of the bench: a figure, what it should be, and how far the runs were apart.
type measure struct {
	Measure string  `json:"measure"`
	Goal    string  `json:"goal"`
	Median  float64 `json:"median"`
	Lowest  float64 `json:"lowest"`
	Highest float64 `json:"highest"`
	Unit    string  `json:"unit"`
	Met     string  `json:"met"` // yes, no, or stated where there is no goal
	Note    string  `json:"note,omitempty"`
}

// benchReport is the outcome as a machine reads it.
type benchReport struct {
	Jobs     int64     `json:"jobs"`
	Runs     int       `json:"runs"`
	CPUs     int       `json:"cpus"`
	Server   string    `json:"server"`
	Started  time.Time `json:"started"`
	Measures []measure `json:"measures"`
	// Profiles are the dearest statements of each night that was sampled, in seconds.
	Profiles []profile `json:"profiles"`
	Textbook string    `json:"textbook,omitempty"` // where it was measured
	Ours     string    `json:"ours,omitempty"`
}

type profile struct {
	Of         string          `json:"of"`
	Statements []statementCost `json:"statements"`
}

type statementCost struct {
	Statement string  `json:"statement"`
	Seconds   float64 `json:"seconds"`
}

// profiled is how many statements a profile names.
const profiled = 32

func (r *benchReport) profile(of string, s sampled) {
	p := profile{Of: of}
	for statement, samples := range s.statements {
		p.Statements = append(p.Statements, statementCost{statement, newMeasure("", "", "", samples, "").Median})
	}
	slices.SortFunc(p.Statements, func(a, b statementCost) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.Statement, b.Statement))
	})
	p.Statements = p.Statements[:min(profiled, len(p.Statements))]
	r.Profiles = append(r.Profiles, p)
}

// benchParts are what there is to measure.
var benchParts = []struct {
	name string
	take func(*lab, context.Context, *benchReport) error
}{{"night", (*lab).night}, {"history", (*lab).history}, {"backfill", (*lab).backfill}, {"nights", (*lab).nights}, {"traps", (*lab).traps}}

// usualParts are measured unless others are named; traps take as long as all of them.
var usualParts = []string{"night", "history", "backfill"}

func benchPartNames() (names []string) {
	for _, part := range benchParts {
		names = append(names, part.name)
	}
	return names
}

// NewCommand is the command bench.
func NewCommand(s *cli.Settings) *cobra.Command {
	var o benchOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a night against the textbook query, on a PostgreSQL of its own",
		Long: `bench starts a PostgreSQL of its own with ordinary settings, fills it with nights of jobs and debits, and measures: the comparison of jobs
with debits and the whole night against a FULL JOIN as a good hand would write it, growth, the cost of history, memory, bytes over the
wire, bytes written, and a backfill. Everything in one run, on the same data and server. Ratios carry over to other machines, seconds don't.

--only traps measures a tenth of the jobs under what makes planners choose badly: no statistics or stale ones, settings of the database, views and
partitions. The night must find the same each time; how much longer it takes is stated.

--only nights measures what a backfill of small nights costs: CPU of worker and server, and statements sent; with --against the program of another
build, in turns with that one. It needs the extension pg_stat_statements.

With --jobs 10000000 it needs about 12 GB of disk and half an hour on two cores.`,
		Example: `  reconciler bench
  reconciler bench --jobs 10000000 --dir /var/tmp/bench --json
  reconciler bench --only traps --runs 3
  reconciler bench --only nights --against ./reconciler-before`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.jobs < 10_000 || o.runs < 1 {
				return cli.UsageError("bench: --jobs must be 10000 or more, --runs 1 or more")
			}
			for _, part := range o.parts {
				if !slices.Contains(benchPartNames(), part) {
					return cli.UsageError("bench: --only takes %s, not %q", strings.Join(benchPartNames(), ", "), part)
				}
			}
			if err := s.Flags.Set("database-url", "postgres:///set-by-bench"); err != nil {
				return err
			}
			c, err := s.Load(io.Discard)
			if err != nil {
				return err
			}
			o.config, o.progress = c, cmd.ErrOrStderr()
			report, err := runBench(cmd.Context(), o)
			if err != nil {
				// What has been measured until then is worth seeing.
				return errors.Join(fmt.Errorf("bench: %w", err), report.print(cmd.ErrOrStderr()))
			}
			if asJSON {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(report)
			}
			return report.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().Int64Var(&o.jobs, "jobs", 1_000_000, "jobs of the measured night, and as many debits")
	cmd.Flags().IntVar(&o.runs, "runs", 5, "runs of each measure")
	cmd.Flags().StringSliceVar(&o.parts, "only", usualParts, "parts to measure, of "+strings.Join(benchPartNames(), ", "))
	cmd.Flags().StringVar(&o.against, "against", "", "the program of another build, to compare small nights with")
	cmd.Flags().StringVar(&o.dir, "dir", "", "a folder to make the database's in (default: that of temporary files)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON instead of a table")
	return cmd
}

func (r benchReport) print(w io.Writer) error {
	fmt.Fprintf(w, "%d jobs and as many debits, %d runs each, %d CPUs, PostgreSQL %s, %s\n\n", r.Jobs, r.Runs, r.CPUs, r.Server, r.Started.UTC().Format(time.RFC3339))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEASURE\tGOAL\tMEDIAN\tSPREAD\tMET\t")
	for _, m := range r.Measures {
		fmt.Fprintf(table, "%s\t%s\t%s %s\t%s – %s\t%s\t%s\n", m.Measure, m.Goal, figure(m.Median), m.Unit, figure(m.Lowest), figure(m.Highest), m.Met, m.Note)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, p := range r.Profiles {
		fmt.Fprintf(w, "\nThe dearest statements, %s:\n", p.Of)
		for _, s := range p.Statements {
			fmt.Fprintf(w, "  %7.2f s  %s\n", s.Seconds, s.Statement)
		}
	}
	if r.Textbook == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nThe textbook query:\n%s\n\nOurs, the comparison of sets:\n%s\n", r.Textbook, r.Ours)
	return err
}

func figure(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// atMost is a measure of which less is better; a limit of 0 is no goal.
func (r *benchReport) atMost(name string, limit float64, unit string, samples []float64, note string) {
	goal, met := "stated", "stated"
	if limit > 0 {
		goal, met = fmt.Sprintf("at most %g %s", limit, unit), "yes"
	}
	m := newMeasure(name, goal, unit, samples, note)
	if limit > 0 && m.Median > limit {
		met = "no"
	}
	m.Met = met
	r.Measures = append(r.Measures, m)
}

// atLeast is a measure of which more is better; a limit of 0 is no goal.
func (r *benchReport) atLeast(name string, limit float64, unit string, samples []float64, note string) {
	goal, met := "stated", "stated"
	if limit > 0 {
		goal, met = fmt.Sprintf("at least %g %s", limit, unit), "yes"
	}
	m := newMeasure(name, goal, unit, samples, note)
	if m.Median < limit {
		met = "no"
	}
	m.Met = met
	r.Measures = append(r.Measures, m)
}

func newMeasure(name, goal, unit string, samples []float64, note string) measure {
	samples = slices.Sorted(slices.Values(samples))
	return measure{Measure: name, Goal: goal, Median: samples[len(samples)/2], Lowest: samples[0], Highest: samples[len(samples)-1], Unit: unit, Note: note}
}

// runBench prepares the data and takes every measure. The server and its data are gone afterwards.
func runBench(ctx context.Context, o benchOptions) (report benchReport, err error) {
	lab, err := openLab(ctx, o)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, lab.close()) }()
	report = benchReport{Jobs: o.jobs, Runs: o.runs, CPUs: lab.cpus, Server: lab.version, Started: time.Now()}
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		return report, err
	}
	if slices.Contains(o.parts, "night") { // the part that compares with it
		report.Textbook, report.Ours = catalog.Statement("bench/textbook").Text, catalog.Statement("reading/jobs").Text+"\n"+catalog.Statement("reading/ledger").Text+"\n"+catalog.Statement("reading/agreement").Text
	}
	for _, part := range benchParts {
		if !slices.Contains(o.parts, part.name) {
			continue
		}
		if err := part.take(lab, ctx, &report); err != nil {
			return report, err
		}
	}
	return report, nil
}
