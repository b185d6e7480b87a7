package night

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// AuditSubject is the kind of thing that a change was made to.
type AuditSubject string

// The subjects, but for those that statements find by themselves: break and period.
const (
	AuditCreditEntry  AuditSubject = "credit_entry"
	AuditRefundIntent AuditSubject = "refund_intent"
	AuditRefundPlan   AuditSubject = "refund_plan"
	AuditRefundSwitch AuditSubject = "refund_switch"
)

// AuditChange is one change of state. Subject, id and Change together name it: the same change can be recorded only once. Detail is for
// people, and must hold neither secrets nor e-mail addresses.
type AuditChange struct {
	AccountID string       `json:"account_id"` // "" when the subject belongs to none
	Subject   AuditSubject `json:"subject"`
	SubjectID string       `json:"subject_id"`
	Change    string       `json:"change"`
	Detail    string       `json:"detail"`
	No        int          `json:"change_no"`
}

// Audit appends the changes that one transaction makes to the audit log: open it, add changes, seal it, all within that transaction and
// as the last thing in it, since nobody else can append between OpenAudit and the commit. Changes that are derived from rows (credit-backs,
// events of breaks, periods) are found by statements, so that it costs one statement however many they are.
type Audit struct {
	tx       *postgres.Tx
	link     int64
	previous string
	changes  int64
	actor    string
	run      string
	At       time.Time
}

// auditLockKey is the advisory lock of appending; its value only has to be ours alone.
const auditLockKey = 0x7265636f6e617564

// OpenAudit begins the link of a transaction. actor is who does it ("reconciler" for the night itself), run which run (see runID, or the
// command).
func OpenAudit(ctx context.Context, tx *postgres.Tx, actor, run string, at time.Time) (*Audit, error) {
	if err := lockAudit(ctx, tx); err != nil {
		return nil, err
	}
	var last struct {
		Link   int64
		Sha256 string
	}
	err := tx.Get(ctx, &last, "audit/last_link", nil)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	return &Audit{tx: tx, link: last.Link + 1, previous: last.Sha256, actor: actor, run: run, At: at.UTC().Truncate(time.Microsecond)}, nil
}

// lockAudit keeps others from appending until the end of the transaction. A statement of its own, so that the next one sees the newest link.
func lockAudit(ctx context.Context, tx *postgres.Tx) error {
	_, err := tx.Exec(ctx, "audit/lock", postgres.Args{"key": int64(auditLockKey)})
	return err
}

// Add appends changes.
func (a *Audit) Add(ctx context.Context, changes ...AuditChange) error {
	for i := range changes {
		changes[i].No = i + 1
	}
	if err := postgres.WriteRows(ctx, a.tx, "audit/add_changes", postgres.Args{"link": a.link, "offset": a.changes}, changes); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	a.changes += int64(len(changes))
	return nil
}

// AddBreaks appends the events of some breaks, of whatever night, that the log doesn't have yet.
func (a *Audit) AddBreaks(ctx context.Context, ids []string) error {
	return a.exec(ctx, "audit/add_breaks", postgres.Args{"break_ids": ids})
}

// AddBreakWork appends what people did about a break and the log doesn't have yet.
func (a *Audit) AddBreakWork(ctx context.Context, id string) error {
	return a.exec(ctx, "audit/add_break_work", postgres.Args{"break_ids": []string{id}})
}

// AddPeriodActions appends closings and reopenings that the log doesn't have yet.
func (a *Audit) AddPeriodActions(ctx context.Context) error {
	return a.exec(ctx, "audit/add_period_actions", nil)
}

// AddMonthSignatures appends reviews of months, and errors accepted at their closing, that the log doesn't have yet.
func (a *Audit) AddMonthSignatures(ctx context.Context) error {
	return a.exec(ctx, "audit/add_month_signatures", nil)
}

func (a *Audit) exec(ctx context.Context, statement string, args postgres.Args) error {
	added, err := a.tx.Exec(ctx, statement, args.And(postgres.Args{"link": a.link, "offset": a.changes}))
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	a.changes += added
	return nil
}

// Seal writes the link that the changes belong to, chained to the link before. Without changes it does nothing.
func (a *Audit) Seal(ctx context.Context) error {
	if a.changes == 0 {
		return nil
	}
	sealed, err := a.tx.Exec(ctx, "audit/seal", postgres.Args{
		"link": a.link, "previous_sha256": a.previous, "actor": a.actor, "run": a.run, "at": a.At,
	})
	if err == nil && sealed != 1 {
		err = fmt.Errorf("link %d was not sealed", a.link)
	}
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// appendAudit appends one link with the changes that a statement finds, as the last thing in a transaction of the night.
func (n *Night) appendAudit(ctx context.Context, tx *postgres.Tx, statement string, args postgres.Args) error {
	if n.Run.Rehearsal { // nothing of it stays, and the lock would be held until its end
		return nil
	}
	actor, run := NightActor, n.RunID()
	if n.Run.Name != "" {
		actor, run = n.Run.Actor, n.Run.Name
	}
	if err := lockAudit(ctx, tx); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, statement, args.And(postgres.Args{"actor": actor, "run": run, "at": n.Now().UTC().Truncate(time.Microsecond)}))
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// NightActor is who a night's own changes are by.
const NightActor = "reconciler"

// auditBreaks appends the events of one job's breaks in the night: to be called last in the job's transaction.
func (n *Night) auditBreaks(ctx context.Context, tx *postgres.Tx, job string) error {
	return n.appendAudit(ctx, tx, "audit/append_break_events", postgres.Args{"job": job})
}

// AuditCreditBacks appends the credit-backs that were posted in the night: to be called last in the job's transaction.
func (n *Night) AuditCreditBacks(ctx context.Context, tx *postgres.Tx) error {
	return n.appendAudit(ctx, tx, "audit/append_credit_backs", nil)
}

// AuditProblem is something wrong with the audit log.
type AuditProblem struct {
	Where string // the link, or the subject that a change is missing of
	What  string
}

// AuditHead is the newest link of the audit log. Every night writes it to the worker's log, which is kept elsewhere: from it one can tell later
// whether anything before it was altered or removed, even where the whole chain was written anew.
type AuditHead struct {
	Link   int64
	Sha256 string
}

// maxAuditProblems of each kind are listed.
const maxAuditProblems = 20

// VerifyAudit recomputes every hash of the log, follows the chain from its first link to its last, and looks for changes of state that the
// log doesn't have. head is the newest link, zero when the log is empty.
func VerifyAudit(ctx context.Context, q postgres.Querier) (head AuditHead, problems []AuditProblem, err error) {
	err = q.Get(ctx, &head, "audit/last_link", nil)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return head, nil, err
	}
	for _, statement := range []string{"audit/broken_links", "audit/broken_changes"} {
		var rows []struct {
			Link    int64
			Problem string
		}
		if err := q.Select(ctx, &rows, statement, postgres.Args{"limit": maxAuditProblems}); err != nil {
			return head, nil, err
		}
		for _, row := range rows {
			problems = append(problems, AuditProblem{fmt.Sprintf("audit link %d", row.Link), row.Problem})
		}
	}
	const missing = ", and the audit log does not have it"
	for _, unrecorded := range []struct{ statement, subject, but string }{
		{"audit/unrecorded_refunds", "refund", missing}, {"audit/unrecorded_plans", "refund plan", ""}, {"audit/unrecorded_credit_backs", "credit entry", missing},
		{"audit/unrecorded_breaks", "break", missing}, {"audit/unrecorded_break_work", "break", missing}, {"audit/unrecorded_periods", "period", missing},
		{"audit/unrecorded_signatures", "period", ""},
	} {
		var rows []struct {
			SubjectID string
			Problem   string
		}
		if err := q.Select(ctx, &rows, unrecorded.statement, postgres.Args{"limit": maxAuditProblems}); err != nil {
			return head, nil, err
		}
		for _, row := range rows {
			problems = append(problems, AuditProblem{unrecorded.subject + " " + row.SubjectID, row.Problem + unrecorded.but})
		}
	}
	return head, problems, nil
}

// VerifyAuditHead says whether a head that was noted earlier is still in the chain: nil, or an ErrIntegrity. The zero value is none.
func VerifyAuditHead(ctx context.Context, q postgres.Querier, noted AuditHead) error {
	if noted.Link == 0 {
		return nil
	}
	var found string
	err := q.Get(ctx, &found, "audit/link_sha256", postgres.Args{"link": noted.Link})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: the audit log has lost link %d", ErrIntegrity, noted.Link)
	case err != nil:
		return err
	case found != noted.Sha256:
		return fmt.Errorf("%w: link %d of the audit log is not the one noted", ErrIntegrity, noted.Link)
	}
	return nil
}

func AuditAs(ctx context.Context, tx *postgres.Tx, actor, run string, at time.Time, changes []AuditChange) error {
	a, err := OpenAudit(ctx, tx, actor, run, at)
	if err != nil {
		return err
	}
	if err := a.Add(ctx, changes...); err != nil {
		return err
	}
	return a.Seal(ctx)
}
