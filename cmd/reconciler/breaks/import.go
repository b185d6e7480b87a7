package breaks

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

func newBreaksImportCommand(s *cli.Settings) *cobra.Command {
	return &cobra.Command{
		Use:         "import FILE",
		Annotations: cli.Takes("FILE   an export with the last three columns filled in"),
		Short:       "Resolve the breaks of a filled-in export, all or none",
		Long:        "import reads an export with resolution, reason and actor filled in. Rows in which all three are empty are left open. Everything is checked first;\nwith one fault nothing is applied. A resolution is one of: " + strings.Join(jobs.Resolutions, ", ") + ".",
		Example:     "  reconciler breaks import breaks-to-do.csv",
		Args:        cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.Open(args[0])
			if err != nil {
				return cli.UsageError("%w", err)
			}
			defer file.Close()
			resolutions, err := readResolutions(file)
			if err != nil {
				return err
			}
			if len(resolutions) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing is filled in; nothing was resolved")
				return nil
			}
			return wiring.WithStore(cmd, s, func(c cli.Config, store *postgres.Store) error {
				err := jobs.ResolveBreaks(cmd.Context(), store, time.Now(), resolutions)
				if errors.Is(err, jobs.ErrNotOpen) {
					return cli.UsageError("nothing was applied: %w", err)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s resolved\n", cli.Counted(len(resolutions), "break"))
				return nil
			})
		},
	}
}

const (
	// rowBytes is the most that one row of a filled-in export may have; a full one of ours has some thousands.
	rowBytes = 256 << 10
	// importRows is how many breaks one file resolves at most.
	importRows = 100_000
)

// errLongRow says that a row is longer than rowBytes: a quote that was never closed makes one row of all that follows.
var errLongRow = fmt.Errorf("is longer than %d KiB; a quote may not be closed", rowBytes>>10)

// boundedRows reads on for at most rowBytes a row, so that no file can fill the memory.
type boundedRows struct {
	in   io.Reader
	left int
}

func (b *boundedRows) nextRow() { b.left = rowBytes }

func (b *boundedRows) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongRow
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

const byteOrderMark = "\ufeff"

// readResolutions reads the filled-in rows of an export and reports everything that is wrong with line and column. Columns may be separated by
// commas, or by semicolons or tabs, as spreadsheets of other languages write them.
func readResolutions(r io.Reader) ([]jobs.Resolution, error) {
	bounded := &boundedRows{in: r, left: rowBytes}
	in := bufio.NewReader(bounded)
	if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark { // spreadsheets like to begin with one, and may quote what comes after it
		if _, err := in.Discard(len(mark)); err != nil {
			return nil, err
		}
	}
	reader := csv.NewReader(in)
	reader.FieldsPerRecord = -1
	reader.Comma = separator(in)
	line := 1
	next := func() ([]string, error) {
		bounded.nextRow()
		record, err := reader.Read()
		if errors.Is(err, errLongRow) {
			return nil, cli.UsageError("nothing was applied: the row that begins on line %d %w", line, err)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, cli.UsageError("not a CSV file: %w", err)
		}
		return record, err
	}
	header, err := next()
	if errors.Is(err, io.EOF) {
		return nil, cli.UsageError("the file is empty; it has no header row")
	}
	if err != nil {
		return nil, err
	}
	at, err := columnsOf(header)
	if err != nil {
		return nil, err
	}
	var resolutions []jobs.Resolution
	var faults []error
	seen := map[string]int{}
	for {
		line, _ = reader.FieldPos(0)
		line++ // the row that could not be read, if that is the next one
		record, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ = reader.FieldPos(0)
		field := func(name string) string {
			if at[name] >= len(record) {
				return ""
			}
			return strings.TrimSpace(record[at[name]])
		}
		resolution := jobs.Resolution{BreakID: field("break_id"), Resolution: field("resolution"), Reason: field("reason"), Actor: field("actor")}
		if resolution.Resolution == "" && resolution.Reason == "" && resolution.Actor == "" {
			continue
		}
		problems := resolution.Faults()
		if first, twice := seen[resolution.BreakID]; twice {
			problems["break_id"] = fmt.Sprintf("stands on line %d already", first)
		}
		seen[resolution.BreakID] = line
		for _, name := range []string{"break_id", "resolution", "reason", "actor"} {
			if problem := problems[name]; problem != "" {
				faults = append(faults, fmt.Errorf("line %d, column %s: %s", line, name, problem))
			}
		}
		if resolutions = append(resolutions, resolution); len(resolutions) > importRows {
			return nil, cli.UsageError("nothing was applied: the file resolves more than %d breaks; split it", importRows)
		}
	}
	if more := len(faults) - maxImportFaults; more > 0 {
		faults = append(faults[:maxImportFaults], fmt.Errorf("… and %d more", more))
	}
	if len(faults) > 0 {
		return nil, cli.UsageError("nothing was applied:\n%w", errors.Join(faults...))
	}
	return resolutions, nil
}

// columnsOf finds the columns that an import needs by their names, in whatever order and case they stand.
func columnsOf(header []string) (map[string]int, error) {
	switch text := strings.Join(header, ","); {
	case !utf8.ValidString(text) || strings.Contains(text, "\x00"): // UTF-16, as what spreadsheets call Unicode text
		return nil, cli.UsageError("line 1: is not UTF-8; save the file as CSV in UTF-8")
	case strings.Contains(text, "\r"):
		return nil, cli.UsageError("line 1: is ended by a carriage return alone; save the file with line feeds")
	}
	at := map[string]int{}
	var missing []error
	for _, name := range []string{"break_id", "resolution", "reason", "actor"} {
		at[name] = slices.IndexFunc(header, func(column string) bool { return strings.EqualFold(strings.TrimSpace(column), name) })
		if at[name] < 0 {
			missing = append(missing, fmt.Errorf("line 1: column %s is missing", name))
		}
	}
	if len(missing) > 0 {
		return nil, cli.UsageError("%w", errors.Join(missing...))
	}
	return at, nil
}

// maxImportFaults is how many faults of a file are named.
const maxImportFaults = 200

// separator is what stands behind the first column of the header: a comma, a semicolon or a tab.
func separator(in *bufio.Reader) rune {
	head, _ := in.Peek(in.Size()) // what can't be read here can't be read later either, and is told then
	if i := strings.IndexAny(string(head), ",;\t\n"); i >= 0 && (head[i] == ';' || head[i] == '\t') {
		return rune(head[i])
	}
	return ','
}
