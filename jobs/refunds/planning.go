package refunds

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// PlanView is a plan as it is stored, with where its refunds stand.
type PlanView struct {
	PlanID         string         `json:"plan_id"`
	PlanSha256     string         `json:"plan_sha256"`
	BusinessDate   reconcile.Date `json:"business_date"`
	Refunds        int            `json:"refunds"`
	MadeBy         string         `json:"made_by"`
	MadeAt         time.Time      `json:"made_at"`
	ApprovedSha256 string         `json:"approved_sha256,omitempty"`
	ApprovedBy     string         `json:"approved_by,omitempty"`
	ApprovedAt     *time.Time     `json:"approved_at,omitempty"`
	Items          []Item         `db:"-" json:"items"`
}

// Item is one refund of a stored plan.
type Item struct {
	reconcile.PlannedRefund
	PlanID         string                `json:"plan_id"`
	StoredIntentID string                `db:"intent_id" json:"intent_id"`
	State          reconcile.IntentState `json:"state"`
	Version        int                   `json:"-"`
	HoldEntryID    string                `json:"hold_entry_id,omitempty"`
	ReleaseEntryID string                `json:"release_entry_id,omitempty"`
	RefundID       string                `json:"refund_id,omitempty"`
	FirstSentAt    *time.Time            `json:"first_sent_at,omitempty"`
	SentOn         reconcile.Date        `json:"sent_on,omitempty"`
	Reason         string                `json:"reason,omitempty"`
	overtaken      bool
}

// Plan is the content that is hashed.
func (v PlanView) Plan() reconcile.RefundPlan {
	plan := reconcile.RefundPlan{Date: v.BusinessDate}
	for _, item := range v.Items {
		plan.Refunds = append(plan.Refunds, item.PlannedRefund)
	}
	return plan
}

// checkContent fails with ErrIntegrity when what is stored is not what was hashed.
func (v PlanView) checkContent() error {
	plan := v.Plan()
	if hash := plan.Hash(); hash != v.PlanSha256 || plan.ID() != v.PlanID || len(v.Items) != v.Refunds {
		return fmt.Errorf("%w: plan %s is not what it was when it was made: its content's hash is %s, noted is %s; nothing was moved", night.ErrIntegrity, v.PlanID, hash, v.PlanSha256)
	}
	for _, item := range v.Items {
		if item.StoredIntentID != item.IntentID() {
			return fmt.Errorf("%w: plan %s: refund %s should be %s; nothing was moved", night.ErrIntegrity, v.PlanID, item.StoredIntentID, item.IntentID())
		}
	}
	return nil
}

// LeftOut is an approved decision that was not planned, and why: by what is known now, its refund would be stopped.
type LeftOut struct{ RequestID, Problem string }

// Plan makes a plan of the refunds that decisions through a night call for and stores it. by is who makes it: somebody else has to
// approve it. ErrNothingDue when nothing calls for a refund. Planning moves nothing.
func (w *Desk) Plan(ctx context.Context, date reconcile.Date, by string) (view PlanView, leftOut []LeftOut, err error) {
	by, err = nameOf(by)
	if err != nil {
		return view, nil, err
	}
	now := w.instant()
	err = w.Store.InTx(ctx, refundTx, func(ctx context.Context, tx *postgres.Tx) error {
		var due []struct {
			reconcile.PlannedRefund
			Problem string
		}
		if err := tx.Select(ctx, &due, "refunds/due", postgres.Args{"date": date, "as_of": now, "charge_fields": reconcile.ChargeFields()}); err != nil {
			return err
		}
		plan := reconcile.RefundPlan{Date: date}
		leftOut = nil
		for _, d := range due {
			if d.Problem == "" {
				refusals, err := w.refusalsBySync(ctx, tx, d.PlannedRefund)
				if err != nil {
					return fmt.Errorf("refund of request %s: %w", d.RequestID, err)
				}
				d.Problem = reasonsOf(refusals)
			}
			if d.Problem != "" {
				leftOut = append(leftOut, LeftOut{d.RequestID, d.Problem})
				continue
			}
			plan.Refunds = append(plan.Refunds, d.PlannedRefund)
		}
		if len(plan.Refunds) == 0 {
			return fmt.Errorf("%w: no approved decision through %s calls for a refund that can be made and is not planned or paid already", ErrNothingDue, date)
		}
		if _, err := plan.Totals(); err != nil {
			return err
		}
		view, err = w.storePlan(ctx, tx, plan, by, now)
		return err
	})
	return view, leftOut, err
}

type planItemRow struct {
	reconcile.PlannedRefund
	PlanID   string `json:"plan_id"`
	IntentID string `json:"intent_id"`
}

func (w *Desk) storePlan(ctx context.Context, tx *postgres.Tx, plan reconcile.RefundPlan, by string, at time.Time) (PlanView, error) {
	id, run := plan.ID(), "refunds plan "+plan.ID()
	var rows []planItemRow
	for _, r := range plan.Refunds {
		rows = append(rows, planItemRow{r, id, r.IntentID()})
	}
	_, err := tx.Exec(ctx, "refunds/add_plan", postgres.Args{
		"plan_id": id, "plan_sha256": plan.Hash(), "date": plan.Date, "refunds": len(rows), "made_by": by, "at": at,
	})
	if postgres.UniqueViolation(err, "refund_plans_pkey") {
		return PlanView{}, fmt.Errorf("%w: somebody else has just made the same plan, %s", ErrUsage, id)
	}
	if err != nil {
		return PlanView{}, err
	}
	if err := postgres.WriteRows(ctx, tx, "refunds/add_items", nil, rows); err != nil {
		return PlanView{}, err
	}
	if _, err := tx.Exec(ctx, "refunds/add_intents", postgres.Args{"plan_id": id}); err != nil {
		if postgres.UniqueViolation(err, "refund_intents_request") || postgres.UniqueViolation(err, "refund_intents_charge") {
			return PlanView{}, fmt.Errorf("%w: somebody else has just planned one of these refunds; look at `refunds list`", ErrUsage)
		}
		return PlanView{}, err
	}
	if _, err := tx.Exec(ctx, "refunds/add_first_events", postgres.Args{"plan_id": id, "date": w.today(), "actor": by, "run": run, "at": at}); err != nil {
		return PlanView{}, err
	}
	view, err := loadPlan(ctx, tx, id)
	if err != nil {
		return view, err
	}
	if err := view.checkContent(); err != nil { // what the database gives back is what was meant to be stored
		return view, err
	}
	changes := []night.AuditChange{{Subject: night.AuditRefundPlan, SubjectID: id, Change: "made", Detail: fmt.Sprintf("%d refunds, sha256 %s, by %s", len(rows), plan.Hash(), by)}}
	for _, item := range view.Items {
		changes = append(changes, night.AuditChange{
			AccountID: item.AccountID, Subject: night.AuditRefundIntent, SubjectID: item.IntentID(), Change: "1",
			Detail: fmt.Sprintf("planned %d %s of charge %s for request %s", item.AmountMinor, item.Currency, item.ChargeID, item.RequestID),
		})
	}
	return view, night.AuditAs(ctx, tx, by, run, at, changes)
}

// Load loads a stored plan; ErrUsage when there is none of that id.
func (w *Desk) Load(ctx context.Context, id string) (PlanView, error) {
	return loadPlan(ctx, w.Store, id)
}

func loadPlan(ctx context.Context, q postgres.Querier, id string) (view PlanView, err error) {
	err = q.Get(ctx, &view, "refunds/plan", postgres.Args{"plan_id": id})
	if errors.Is(err, sql.ErrNoRows) {
		return view, fmt.Errorf("%w: there is no plan %s; see `refunds list`", ErrUsage, id)
	}
	if err != nil {
		return view, err
	}
	return view, q.Select(ctx, &view.Items, "refunds/items", postgres.Args{"plan_id": id})
}

// PlanLine is a plan in a list.
type PlanLine struct {
	PlanView
	Planned int
	Open    int
	Paid    int
	Ended   int
}

// List lists plans, newest first: those with something left to do, or all.
func (w *Desk) List(ctx context.Context, all bool) (plans []PlanLine, err error) {
	return plans, w.Store.Select(ctx, &plans, "refunds/plans", postgres.Args{"all": all})
}

// Approve approves a plan as it is stored. sha256 may name the content that by has looked at; "": whatever the plan holds. Refused
// with ErrUsage when by made the plan (the database refuses it), when the plan is approved already, or holds something else.
func (w *Desk) Approve(ctx context.Context, planID, by, sha256 string) (view PlanView, err error) {
	by, err = nameOf(by)
	if err != nil {
		return view, err
	}
	now := w.instant()
	err = w.Store.InTx(ctx, refundTx, func(ctx context.Context, tx *postgres.Tx) error {
		if view, err = loadPlan(ctx, tx, planID); err != nil {
			return err
		}
		if err := view.checkContent(); err != nil {
			return err
		}
		if night.SamePerson(by, view.MadeBy) {
			return isMaker(view)
		}
		if view.ApprovedBy != "" {
			return fmt.Errorf("%w: plan %s was approved by %s already", ErrUsage, planID, view.ApprovedBy)
		}
		if !slices.ContainsFunc(view.Items, func(item Item) bool { return item.State == reconcile.IntentPlanned }) {
			return fmt.Errorf("%w: plan %s was cancelled, so there is nothing to approve; what is still due is planned anew: refunds plan", ErrUsage, planID)
		}
		if sha256 != "" && !strings.HasPrefix(view.PlanSha256, strings.ToLower(sha256)) {
			return fmt.Errorf("%w: plan %s has the hash %s, not the one that you name", ErrUsage, planID, view.PlanSha256)
		}
		approved, err := tx.Exec(ctx, "refunds/approve", postgres.Args{"plan_id": planID, "plan_sha256": view.PlanSha256, "approved_by": by, "at": now})
		switch {
		case postgres.CheckViolation(err, "maker_is_not_checker"):
			return isMaker(view)
		case postgres.UniqueViolation(err, "refund_approvals_pkey"):
			return fmt.Errorf("%w: somebody else has just approved plan %s", ErrUsage, planID)
		case postgres.LacksRight(err):
			return fmt.Errorf("%w: this database role may not approve: set DATABASE_URL to that of reconciler_approver, which alone may: %w", ErrUsage, err)
		case err != nil:
			return err
		case approved != 1:
			return fmt.Errorf("%w: plan %s changed while it was being approved", ErrUsage, planID)
		}
		return night.AuditAs(ctx, tx, by, "refunds approve "+planID, now, []night.AuditChange{{
			Subject: night.AuditRefundPlan, SubjectID: planID, Change: "approved", Detail: "sha256 " + view.PlanSha256 + ", by " + by,
		}})
	})
	if err != nil {
		return view, err
	}
	return loadPlan(ctx, w.Store, planID)
}

func isMaker(view PlanView) error {
	return fmt.Errorf("%w: %s made plan %s, so somebody else has to approve it", ErrUsage, view.MadeBy, view.PlanID)
}

// nameOf is a person's name as it is recorded.
func nameOf(by string) (string, error) {
	by, fault := night.Person(by)
	if fault != "" {
		return "", fmt.Errorf("%w: --by %s", ErrUsage, fault)
	}
	return by, nil
}

// Cancel takes what a plan has not sent yet out of it, so that it can be planned anew. What is under way stays.
func (w *Desk) Cancel(ctx context.Context, planID, by, reason string) (cancelled int, err error) {
	by, err = nameOf(by)
	if err != nil {
		return 0, err
	}
	if fault := night.ReasonFault(reason); fault != "" {
		return 0, fmt.Errorf("%w: the reason %s", ErrUsage, fault)
	}
	lease, err := takeRefundLease(ctx, w.Store, w.Settings.Refund.Lease)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lease.release()) }()
	x := &executor{w: w, lease: lease, actor: by, run: "refunds cancel " + planID, date: w.today(), booking: manualBooking(w)}
	view, err := loadPlan(ctx, w.Store, planID)
	if err != nil {
		return 0, err
	}
	for i := range view.Items {
		item := &view.Items[i]
		if item.State != reconcile.IntentPlanned {
			continue
		}
		if err := x.advance(ctx, item, refundStep{to: reconcile.IntentCancelled, reason: reason}); err != nil {
			return cancelled, err
		}
		cancelled++
	}
	if cancelled == 0 {
		return 0, fmt.Errorf("%w: plan %s has nothing left that was not sent", ErrUsage, planID)
	}
	return cancelled, x.reportBreaks(ctx)
}

// Switch is the last action on the kill switch; ActionNo 0 when there was none.
type Switch struct {
	ActionNo int
	Action   string
	Actor    string
	Reason   string
	At       time.Time
}

// Halted says whether no refund may move.
func (s Switch) Halted() bool { return s.Action == "halted" }

// SwitchNow reads the kill switch.
func SwitchNow(ctx context.Context, q postgres.Querier) (s Switch, err error) {
	err = q.Get(ctx, &s, "refunds/switch", nil)
	if errors.Is(err, sql.ErrNoRows) {
		return Switch{}, nil
	}
	return s, err
}

// FlipSwitch halts or resumes all refunds, of every executor, from its next step on.
func (w *Desk) FlipSwitch(ctx context.Context, halt bool, by, reason string) error {
	by, err := nameOf(by)
	if err != nil {
		return err
	}
	if fault := night.ReasonFault(reason); fault != "" {
		return fmt.Errorf("%w: the reason %s", ErrUsage, fault)
	}
	return w.flipSwitch(ctx, halt, by, reason)
}

// flipSwitch is for the worker too, which halts itself where what Stripe says can't be true.
func (w *Desk) flipSwitch(ctx context.Context, halt bool, by, reason string) error {
	action := "resumed"
	if halt {
		action = "halted"
	}
	now := w.instant()
	return w.Store.InTx(ctx, refundTx, func(ctx context.Context, tx *postgres.Tx) error {
		last, err := SwitchNow(ctx, tx)
		if err != nil {
			return err
		}
		already := fmt.Errorf("%w: refunds are %s already", ErrUsage, map[bool]string{true: "halted", false: "running"}[halt])
		if last.Halted() == halt {
			return already
		}
		no := last.ActionNo + 1
		_, err = tx.Exec(ctx, "refunds/flip_switch", postgres.Args{"action_no": no, "action": action, "actor": by, "reason": reason, "at": now})
		if postgres.UniqueViolation(err, "refund_switch_pkey") { // by somebody else, at the same moment
			return already
		}
		if err != nil {
			return err
		}
		return night.AuditAs(ctx, tx, by, "refunds "+action, now, []night.AuditChange{{
			Subject: night.AuditRefundSwitch, SubjectID: "refunds", Change: fmt.Sprint(no), Detail: action + " by " + by + ": " + reason,
		}})
	})
}
