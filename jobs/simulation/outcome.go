package simulation

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/hummingbytes/reconciler/reconcile"
)

// Found is a break that the worker has reported, open or closed since.
type Found struct {
	Kind      reconcile.BreakKind
	SubjectID string
	AccountID string
	Field     string
	OpenedOn  reconcile.Date
	ClosedOn  reconcile.Date // zero: open
}

// Outcome is what was found, compared with what was planted.
type Outcome struct {
	// Kinds that were planted or found, in the order of the catalogue.
	Kinds []KindOutcome
	// Differences in words; none: every planted fault was found as exactly the break it is, and nothing else was reported.
	Differences []string
	// Rejects planted, and those that were rejected as they should.
	Rejects, RejectsRight int
	// Decisions that must have been made about refund requests, and those that were as they should.
	Decisions, DecisionsRight int
	// CreditedJobs and CreditedCredits are what the worker credited back.
	CreditedJobs, CreditedCredits int64
}

// KindOutcome is one kind's planted and found breaks.
type KindOutcome struct {
	Kind reconcile.BreakKind
	// Planted are the expected breaks: the planted ones and, with a trace, the trace's own.
	Planted int
	// Found counts all breaks of the kind, Right those that were expected and opened and cleared on the nights they should.
	Found, Right int
	FirstNight   reconcile.Date
	Example      string
}

// Compare reads the worker's breaks and rejects and compares them with what must have been reported by now.
func (s *Simulation) Compare(ctx context.Context, db *sql.DB) (Outcome, error) {
	found, err := foundBreaks(ctx, db)
	if err != nil {
		return Outcome{}, err
	}
	rejected, err := foundRejects(ctx, db)
	if err != nil {
		return Outcome{}, err
	}
	o := compare(s.Expected(), found)
	o.compareRejects(s.ExpectedRejects(), rejected)
	decided, err := madeDecisions(ctx, db)
	if err != nil {
		return Outcome{}, err
	}
	o.compareDecisions(s.ExpectedDecisions(), decided)
	err = db.QueryRowContext(ctx, "SELECT count(DISTINCT job_id), coalesce(sum(credit_back), 0) FROM reconciler.credit_backs WHERE decision = 'credited'").
		Scan(&o.CreditedJobs, &o.CreditedCredits)
	if err != nil {
		return Outcome{}, fmt.Errorf("read what was credited back: %w", err)
	}
	return o, nil
}

func foundBreaks(ctx context.Context, db *sql.DB) (found []Found, err error) {
	rows, err := db.QueryContext(ctx, `SELECT kind, subject_id, account_id, field, opened_on, closed_on FROM reconciler.breaks
		ORDER BY opened_on, kind COLLATE "C", subject_id COLLATE "C", field COLLATE "C"`)
	if err != nil {
		return nil, fmt.Errorf("read the breaks found: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var f Found
		if err := rows.Scan(&f.Kind, &f.SubjectID, &f.AccountID, &f.Field, &f.OpenedOn, &f.ClosedOn); err != nil {
			return nil, fmt.Errorf("read the breaks found: %w", err)
		}
		found = append(found, f)
	}
	return found, rows.Err()
}

func foundRejects(ctx context.Context, db *sql.DB) (found []Reject, err error) {
	rows, err := db.QueryContext(ctx, `SELECT relation, row_id, field, min(business_date) FROM reconciler.rejects
		GROUP BY relation, row_id, field ORDER BY relation COLLATE "C", row_id COLLATE "C", field COLLATE "C"`)
	if err != nil {
		return nil, fmt.Errorf("read the rejected rows: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r Reject
		if err := rows.Scan(&r.Relation, &r.RowID, &r.Field, &r.Night); err != nil {
			return nil, fmt.Errorf("read the rejected rows: %w", err)
		}
		found = append(found, r)
	}
	return found, rows.Err()
}

// nightOfRequest is a request on one night.
type nightOfRequest struct {
	id    string
	night reconcile.Date
}

func madeDecisions(ctx context.Context, db *sql.DB) (made map[nightOfRequest]reconcile.Decision, err error) {
	rows, err := db.QueryContext(ctx, "SELECT request_id, business_date, decision FROM reconciler.refund_decisions")
	if err != nil {
		return nil, fmt.Errorf("read the decisions made: %w", err)
	}
	defer rows.Close()
	made = make(map[nightOfRequest]reconcile.Decision)
	for rows.Next() {
		var (
			request  nightOfRequest
			decision reconcile.Decision
		)
		if err := rows.Scan(&request.id, &request.night, &decision); err != nil {
			return nil, fmt.Errorf("read the decisions made: %w", err)
		}
		made[request] = decision
	}
	return made, rows.Err()
}

func (o *Outcome) compareDecisions(expected []Decision, made map[nightOfRequest]reconcile.Decision) {
	for _, d := range expected {
		o.Decisions++
		switch got, ok := made[nightOfRequest{d.RequestID, d.Night}]; {
		case !ok:
			o.Differences = append(o.Differences, fmt.Sprintf("request %s: nothing was said of it on %s, must be %s", d.RequestID, d.Night, d.Decision))
		case got != d.Decision:
			o.Differences = append(o.Differences, fmt.Sprintf("request %s: must be %s on %s, and was %s", d.RequestID, d.Decision, d.Night, got))
		default:
			o.DecisionsRight++
		}
	}
}

// subject identifies what a break is about; a fault has one break, whatever fields differ.
type subject struct {
	kind reconcile.BreakKind
	id   string
}

func compare(expected []Expectation, found []Found) Outcome {
	var o Outcome
	kinds := make(map[reconcile.BreakKind]*KindOutcome)
	kind := func(k reconcile.BreakKind) *KindOutcome {
		if kinds[k] == nil {
			kinds[k] = &KindOutcome{Kind: k}
		}
		return kinds[k]
	}
	bySubject := make(map[subject][]Found)
	for _, f := range found {
		k := kind(f.Kind)
		k.Found++
		if k.Example == "" {
			k.FirstNight, k.Example = f.OpenedOn, f.SubjectID
		}
		bySubject[subject{f.Kind, f.SubjectID}] = append(bySubject[subject{f.Kind, f.SubjectID}], f)
	}
	for _, e := range expected {
		k := kind(e.Kind)
		k.Planted++
		key := subject{e.Kind, e.SubjectID}
		problem := e.judge(bySubject[key])
		delete(bySubject, key)
		if problem == "" {
			k.Right++
			continue
		}
		o.Differences = append(o.Differences, fmt.Sprintf("%s %s (%s): %s", e.Kind, e.SubjectID, e.Story, problem))
	}
	for _, f := range found {
		if key := (subject{f.Kind, f.SubjectID}); bySubject[key] != nil {
			delete(bySubject, key)
			o.Differences = append(o.Differences, fmt.Sprintf("%s %s: reported on %s, but nothing is wrong with it", f.Kind, f.SubjectID, f.OpenedOn))
		}
	}
	for _, k := range kinds {
		o.Kinds = append(o.Kinds, *k)
	}
	slices.SortFunc(o.Kinds, func(a, b KindOutcome) int { return cmp.Compare(catalogueOrder(a.Kind), catalogueOrder(b.Kind)) })
	return o
}

func catalogueOrder(kind reconcile.BreakKind) int {
	return slices.IndexFunc(reconcile.BreakRules, func(r reconcile.BreakRule) bool { return r.Kind == kind })
}

// judge says what is wrong with what was found of an expected break; "": nothing.
func (e Expectation) judge(found []Found) string {
	switch {
	case len(found) == 0:
		return fmt.Sprintf("must have been reported on %s, and was not", e.FirstNight)
	case len(found) > 1:
		return fmt.Sprintf("was reported %d times", len(found))
	}
	f := found[0]
	switch {
	case f.OpenedOn != e.FirstNight:
		return fmt.Sprintf("must have been reported on %s, and was on %s", e.FirstNight, f.OpenedOn)
	case e.AccountID != "" && f.AccountID != e.AccountID:
		return fmt.Sprintf("belongs to account %s, was reported for %q", e.AccountID, f.AccountID)
	case e.Passing || f.ClosedOn == e.ClearsOn:
		return ""
	case e.ClearsOn.IsZero():
		return fmt.Sprintf("is still there, but was taken for gone on %s", f.ClosedOn)
	case f.ClosedOn.IsZero():
		return fmt.Sprintf("was mended on %s, and is still reported", e.ClearsOn)
	default:
		return fmt.Sprintf("was mended on %s, and taken for gone on %s", e.ClearsOn, f.ClosedOn)
	}
}

func (o *Outcome) compareRejects(expected, found []Reject) {
	missing := make(map[Reject]bool)
	o.Rejects = len(expected)
	for _, r := range expected {
		missing[r] = true
	}
	for _, r := range found {
		if missing[r] {
			o.RejectsRight++
		} else {
			o.Differences = append(o.Differences, fmt.Sprintf("%s %s: rejected on %s for its %s, but nothing is wrong with that", r.Relation, r.RowID, r.Night, r.Field))
		}
		delete(missing, r)
	}
	for _, r := range expected {
		if missing[r] {
			o.Differences = append(o.Differences, fmt.Sprintf("%s %s: must have been rejected on %s for its %s, and was not", r.Relation, r.RowID, r.Night, r.Field))
		}
	}
}
