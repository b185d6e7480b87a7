package simulation

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

// TraceRow is one request of a replayed trace.
type TraceRow struct {
	CreatedAt time.Time
	Group     string // empty: requests of nobody known, all one account
	Type      string // TXT_2_IMG, IMG_2_IMG or INPAINTING
	Status    string // SUCCEED, FAILED, PENDING, PROCESSING or empty
	ExecTime  time.Duration
	Images    int64
	Steps     int64
	Model     string
	// Line of the file, counted from 1.
	Line int
}

// TraceError is what is wrong with one field of a trace.
type TraceError struct {
	Line    int
	Column  string // empty when it is the line as a whole
	Value   string
	Problem string
}

func (e *TraceError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Problem)
	}
	return fmt.Sprintf("line %d, column %s: %q: %s", e.Line, e.Column, e.Value, e.Problem)
}

// The bounds of what a trace may say; beyond them a figure is taken for a slip.
const (
	maxTraceImages   = 1000
	maxTraceSteps    = 100_000
	maxTraceExecTime = 30 * 24 * time.Hour
	maxTraceErrors   = 20
)

// traceColumns must all be in the header.
var traceColumns = []string{"gmt_create", "predict_type", "predict_status", "exec_time_seconds", "groupId", "num_images_per_prompt",
	"num_inference_steps", "checkpoint_model_version_id"}

// typeFactors scale the price.
var typeFactors = map[string]int64{"TXT_2_IMG": 10, "IMG_2_IMG": 12, "INPAINTING": 15}

const byteOrderMark = "\ufeff"

// ReadTrace reads a trace and sorts it by time. It refuses the file when anything is wrong with it: the error joins a TraceError for each
// of the first 20 faults.
func ReadTrace(r io.Reader) ([]TraceRow, error) {
	in := bufio.NewReader(r)
	if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark { // spreadsheets like to begin with one, and may quote what comes after it
		if _, err := in.Discard(len(mark)); err != nil {
			return nil, fmt.Errorf("read trace: %w", err)
		}
	}
	reader := csv.NewReader(in)
	reader.ReuseRecord = true
	reader.FieldsPerRecord = -1
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("read trace: the file is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("read trace: %w", err)
	}
	width := len(header)
	at, err := findColumns(header)
	if err != nil {
		return nil, fmt.Errorf("read trace: %w", err)
	}
	var (
		rows   []TraceRow
		faults []error
	)
	for len(faults) < maxTraceErrors {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			faults = append(faults, err)
			break // the reader may have lost its place
		}
		line, _ := reader.FieldPos(0)
		if len(record) != width {
			faults = append(faults, &TraceError{Line: line, Problem: fmt.Sprintf("%d fields, but the header has %d", len(record), width)})
			continue
		}
		parser := traceParser{record: record, at: at, line: line}
		rows = append(rows, parser.row())
		faults = append(faults, parser.faults...)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("read trace: %w", errors.Join(faults...))
	}
	if len(rows) == 0 {
		return nil, errors.New("read trace: the file has a header and no rows")
	}
	slices.SortStableFunc(rows, func(a, b TraceRow) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return rows, nil
}

func findColumns(header []string) (map[string]int, error) {
	at := make(map[string]int)
	for i, name := range header {
		name = strings.TrimSpace(name)
		if _, twice := at[name]; twice && slices.Contains(traceColumns, name) {
			return nil, &TraceError{Line: 1, Column: name, Value: name, Problem: "the header names this column twice"}
		}
		at[name] = i
	}
	var missing []string
	for _, name := range traceColumns {
		if _, ok := at[name]; !ok {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return nil, &TraceError{Line: 1, Problem: "the header lacks " + strings.Join(missing, ", ")}
	}
	return at, nil
}

type traceParser struct {
	record []string
	at     map[string]int
	line   int
	faults []error
}

func (p *traceParser) row() TraceRow {
	return TraceRow{
		Line:      p.line,
		CreatedAt: p.instant("gmt_create"),
		Group:     p.field("groupId"),
		Type:      p.oneOf("predict_type", "TXT_2_IMG", "IMG_2_IMG", "INPAINTING"),
		Status:    p.oneOf("predict_status", "", "SUCCEED", "FAILED", "PENDING", "PROCESSING"),
		ExecTime:  p.seconds("exec_time_seconds"),
		Images:    p.count("num_images_per_prompt", 1, maxTraceImages),
		Steps:     p.count("num_inference_steps", 30, maxTraceSteps),
		Model:     p.field("checkpoint_model_version_id"),
	}
}

func (p *traceParser) field(column string) string { return strings.TrimSpace(p.record[p.at[column]]) }

func (p *traceParser) fault(column, problem string) {
	p.faults = append(p.faults, &TraceError{Line: p.line, Column: column, Value: p.field(column), Problem: problem})
}

func (p *traceParser) instant(column string) time.Time {
	t, err := time.ParseInLocation(time.DateTime, p.field(column), time.UTC)
	if err != nil || t.Year() < 2000 || t.Year() > 2200 {
		p.fault(column, "want a time such as 2024-11-15 16:57:50")
	}
	return t
}

// oneOf is the field, which must be one of the choices; empty is the first of them.
func (p *traceParser) oneOf(column string, choices ...string) string {
	value := p.field(column)
	if value == "" {
		return choices[0]
	}
	if !slices.Contains(choices, value) {
		p.fault(column, "want one of "+strings.Join(choices, " "))
	}
	return value
}

// count is a whole number that may be written with decimals, all 0.
func (p *traceParser) count(column string, fallback, most int64) int64 {
	value := p.field(column)
	if value == "" {
		return fallback
	}
	whole, decimals, _ := strings.Cut(value, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.Trim(decimals, "0") != "" || n < 1 || n > most {
		p.fault(column, fmt.Sprintf("want a whole number from 1 to %d", most))
		return fallback
	}
	return n
}

// seconds is a decimal number of seconds; what is finer than a millisecond is cut off.
func (p *traceParser) seconds(column string) time.Duration {
	value := p.field(column)
	if value == "" {
		return 0
	}
	whole, decimals, _ := strings.Cut(value, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	thousandths, decimalsErr := strconv.ParseUint((decimals + "000")[:3], 10, 16)
	strange := strings.Trim(decimals, "0123456789") != "" || strings.HasPrefix(whole, "-") || strings.HasPrefix(whole, "+")
	if err != nil || decimalsErr != nil || strange || n > int64(maxTraceExecTime/time.Second) {
		p.fault(column, fmt.Sprintf("want seconds from 0 to %d", int64(maxTraceExecTime/time.Second)))
		return 0
	}
	return time.Duration(n)*time.Second + time.Duration(thousandths)*time.Millisecond
}

// Cost is the price of a row in credits.
func (r TraceRow) Cost() int64 { return (r.Images*r.Steps*typeFactors[r.Type] + 99) / 100 }

// replayUntil puts the trace's jobs before an instant on the calendar.
func (s *Simulation) replayUntil(end time.Time) {
	trace := s.options.Trace
	for ; s.nextRow < len(trace) && trace[s.nextRow].CreatedAt.Before(end); s.nextRow++ {
		row := trace[s.nextRow]
		if row.CreatedAt.Before(s.nights[0].Begin) {
			continue // Options.Start skips it
		}
		s.plan(row.CreatedAt, func() { s.replay(row) })
	}
}

func (s *Simulation) replay(row TraceRow) {
	r := s.background
	a := s.byGroup[row.Group]
	if a == nil {
		a = s.newAccount(r)
		s.byGroup[row.Group] = a
	}
	j := &job{account: a, kind: "image", model: row.Model, cost: row.Cost()}
	setDefault(&j.model, "base")
	for a.credits < j.cost {
		s.buyAnyhow(r, a, smallestPack(j.cost*between(r, 4, 40)))
	}
	switch row.Status {
	case "SUCCEED":
		j.status = "succeeded"
	case "FAILED":
		j.status, j.failureCode = "failed", s.traceFailure(row)
	default:
		j.status = "queued"
		if row.Status == "PROCESSING" {
			j.status = "running"
		}
		s.begin(j)
		s.expect(reconcile.JobStuck, j.id, a, s.now.Add(stuckAfter), time.Time{}, fmt.Sprintf("line %d of the trace never ended", row.Line)).Planted = false
		return
	}
	s.start(j, s.now.Add(row.ExecTime))
}

// traceFailure gives a failed row a code: three of five are ours.
func (s *Simulation) traceFailure(row TraceRow) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %d", s.options.Seed, row.Line)
	draw := mix(h.Sum64())
	if draw%5 < 3 {
		return systemCodes[draw/5%uint64(len(systemCodes))]
	}
	return userCodes[draw/5%uint64(len(userCodes))]
}
