package explain

import (
	"context"
	"database/sql"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

// mostRows bounds each section of an account's page; the newest come first.
const mostRows = 25

type account struct {
	ID, Email, Status string
	CreatedAt         *time.Time
	Credits           string
}

// page is what a support agent reads out about an account.
func (a account) page(ctx context.Context, store *postgres.Store, now time.Time) (sections []Section, err error) {
	sections = []Section{{Key: "account", Title: "Account " + a.ID,
		Columns: []Column{{"id", "Account"}, {"email", "E-mail"}, {"status", "Status"}, {"created_at", "Since"}, {"credits", "Balance"}},
		Rows:    [][]Cell{{text(a.ID), text(a.Email), text(a.Status), instant(a.CreatedAt), credits(a.Credits)}}}}
	lots := func(ctx context.Context, store *postgres.Store) (Section, error) { return a.lots(ctx, store, now) }
	requests := func(ctx context.Context, store *postgres.Store) (Section, error) { return a.requests(ctx, store, now) }
	for _, part := range []func(context.Context, *postgres.Store) (Section, error){a.purchases, a.charges, a.subscriptions, lots, a.jobs, requests, a.refunds, a.disputes, a.breaks} {
		section, err := part(ctx, store)
		if err != nil {
			return nil, err
		}
		sections = append(sections, section)
	}
	return sections, nil
}

func (a account) args(more postgres.Args) postgres.Args {
	args := postgres.Args{"account_id": a.ID, "most": mostRows}
	maps.Copy(args, more)
	return args
}

// rows reads a section's rows.
func rows[T any](ctx context.Context, store *postgres.Store, statement string, args postgres.Args, cells func(T) []Cell) (list [][]Cell, err error) {
	var found []T
	if err := store.Select(ctx, &found, statement, args); err != nil {
		return nil, err
	}
	for _, row := range found {
		list = append(list, cells(row))
	}
	return list, nil
}

func (a account) purchases(ctx context.Context, store *postgres.Store) (Section, error) {
	section := Section{Key: "purchases", Title: "Purchases and their refund windows", Empty: "no purchases", Columns: []Column{{"id", "Purchase"}, {"kind", "Kind"}, {"status", "Status"}, {"completed_at", "Completed"},
		{"credits", "Credits"}, {"amount", "Paid"}, {"window", "Refund window"}, {"expires_at", "Until"}, {"used", "Used by then"}, {"refundable", "Refundable"}}}
	type purchase struct {
		ID, Kind, Status, Currency, State string
		CompletedAt                       *time.Time
		Credits                           int64
		Amount                            sql.NullString
		ExpiresAt                         *time.Time
		UsedCredits                       sql.NullInt64
		Refundable                        sql.NullString
	}
	var err error
	section.Rows, err = rows(ctx, store, "explain/account_purchases", a.args(nil), func(p purchase) []Cell {
		var used, refundable Cell
		if p.UsedCredits.Valid {
			used = credits(strconv.FormatInt(p.UsedCredits.Int64, 10))
		}
		if p.State == "open" || p.State == "requested" {
			refundable = amount(p.Refundable, p.Currency)
		}
		return []Cell{text(p.ID), words(p.Kind), words(p.Status), instant(p.CompletedAt), credits(strconv.FormatInt(p.Credits, 10)), amount(p.Amount, p.Currency), words(p.State), instant(p.ExpiresAt), used, refundable}
	})
	return section, err
}

// charges answer a customer who says that he was charged twice.
func (a account) charges(ctx context.Context, store *postgres.Store) (Section, error) {
	section := Section{Key: "charges", Title: "Charges at Stripe: what was taken, and for what", Empty: "Stripe has charged nothing", Columns: []Column{{"id", "Charge"}, {"purchase_id", "Purchase"},
		{"created_at", "Made"}, {"method", "By"}, {"amount", "Amount"}, {"refunded", "Refunded"}, {"what", "What it is"}}}
	type charge struct {
		ID, Method, Currency, Amount, What string
		PurchaseID                         string
		CreatedAt                          *time.Time
		Refunded                           sql.NullString
	}
	var err error
	section.Rows, err = rows(ctx, store, "explain/account_charges", a.args(postgres.Args{"email": a.Email}), func(c charge) []Cell {
		return []Cell{text(c.ID), text(c.PurchaseID), instant(c.CreatedAt), words(c.Method), amount(sql.NullString{String: c.Amount, Valid: true}, c.Currency), amount(c.Refunded, c.Currency), text(c.What)}
	})
	return section, err
}

func (a account) subscriptions(ctx context.Context, store *postgres.Store) (Section, error) {
	section := Section{Key: "subscriptions", Title: "Subscriptions and their access", Empty: "no subscriptions", Columns: []Column{{"id", "Subscription"}, {"plan", "Plan"}, {"status", "Status"},
		{"current_period_start", "Period from"}, {"current_period_end", "To"}, {"cancel_requested_at", "Canceled"}, {"access_ends_at", "Access ends"}, {"at_stripe", "At Stripe"}}}
	type subscription struct {
		ID, Plan, Status, AtStripe                                            string
		CurrentPeriodStart, CurrentPeriodEnd, AccessEndsAt, CancelRequestedAt *time.Time
	}
	var err error
	section.Rows, err = rows(ctx, store, "explain/account_subscriptions", a.args(nil), func(s subscription) []Cell {
		return []Cell{text(s.ID), text(s.Plan), words(s.Status), instant(s.CurrentPeriodStart), instant(s.CurrentPeriodEnd), instant(s.CancelRequestedAt), instant(s.AccessEndsAt), words(s.AtStripe)}
	})
	return section, err
}

func (a account) lots(ctx context.Context, store *postgres.Store, now time.Time) (Section, error) {
	section := Section{Key: "lots", Title: "Balance by grant, newest first; the oldest credits are used first", Empty: "no credits were ever granted", Columns: []Column{{"id", "Granted by"}, {"kind", "Kind"}, {"granted_at", "Granted"},
		{"credits", "Credits"}, {"used", "Used"}, {"refunded", "Refunded"}, {"remaining", "Left"}}}
	type lot struct {
		Kind, ID                           string
		GrantedAt                          *time.Time
		Credits, Refunded, Used, Remaining string
	}
	var err error
	section.Rows, err = rows(ctx, store, "explain/account_lots", a.args(postgres.Args{"as_of": now, "begin": now}), func(l lot) []Cell {
		return []Cell{text(l.ID), words(l.Kind), instant(l.GrantedAt), credits(l.Credits), credits(l.Used), credits(l.Refunded), credits(l.Remaining)}
	})
	return section, err
}

func (a account) jobs(ctx context.Context, store *postgres.Store) (Section, error) {
	section := Section{Key: "jobs", Title: "Last jobs and what was credited back", Empty: "no jobs", Columns: []Column{{"id", "Job"}, {"kind", "Kind"}, {"model", "Model"}, {"status", "Status"}, {"failure_code", "Failure"},
		{"finished_at", "Finished"}, {"cost", "Cost"}, {"debited", "Taken"}, {"credited", "Credited back"}, {"reason", "Why"}}}
	type job struct {
		ID, Kind, Model, Status string
		FailureCode             string
		FinishedAt              *time.Time
		Cost                    sql.NullString
		Debited, Credited       string
		Reason                  string
	}
	var err error
	section.Rows, err = rows(ctx, store, "explain/account_jobs", a.args(nil), func(j job) []Cell {
		return []Cell{text(j.ID), words(j.Kind), text(j.Model), words(j.Status), text(j.FailureCode), instant(j.FinishedAt), amount(j.Cost, "credits"), credits(j.Debited), credits(j.Credited), text(j.Reason)}
	})
	return section, err
}

func (a account) requests(ctx context.Context, store *postgres.Store, now time.Time) (Section, error) {
	section := Section{Key: "requests", Title: "Refund requests, decisions, and what the customer was told", Empty: "no refund requests", Columns: []Column{{"id", "Request"}, {"requested_at", "Requested"}, {"about", "About"},
		{"status", "Status"}, {"decision", "Decision"}, {"refund", "Refund"}, {"clauses", "Clauses"}, {"decided_on", "Night"}, {"told", "Told the customer"}, {"next", "What the money waits for"}}}
	type request struct {
		ID, About, Status, Decision, Currency, Clauses, Told, Next string
		RequestedAt                                                *time.Time
		Refund                                                     sql.NullString
		DecidedOn                                                  *reconcile.Date
	}
	var err error
	section.Rows, err = rows(ctx, store, "explain/account_requests", a.args(postgres.Args{"email": a.Email, "as_of": now}), func(r request) []Cell {
		var decidedOn Cell
		if r.DecidedOn != nil {
			decidedOn = text(r.DecidedOn.String())
		}
		return []Cell{text(r.ID), instant(r.RequestedAt), text(r.About), words(r.Status), words(r.Decision), amount(r.Refund, r.Currency), text(r.Clauses), decidedOn, letter(r.Told), text(r.Next)}
	})
	return section, err
}

func (a account) refunds(ctx context.Context, store *postgres.Store) (Section, error) {
	section := Section{Key: "refunds", Title: "Refunds at Stripe: where the money is", Empty: "Stripe has refunded nothing", Columns: []Column{{"id", "Refund"}, {"purchase_id", "Purchase"}, {"charge_id", "Charge"},
		{"created_at", "Made"}, {"amount", "Amount"}, {"status", "At Stripe"}, {"failure_reason", "Failed because of"}}}
	type refund struct {
		ID            string
		PurchaseID    string
		ChargeID      string
		CreatedAt     *time.Time
		Status        string
		FailureReason string
		Amount        string
		Currency      string
	}
	var err error
	section.Rows, err = rows(ctx, store, "explain/account_refunds", a.args(nil), func(r refund) []Cell {
		return []Cell{text(r.ID), text(r.PurchaseID), text(r.ChargeID), instant(r.CreatedAt), amount(sql.NullString{String: r.Amount, Valid: true}, r.Currency), words(r.Status), words(r.FailureReason)}
	})
	return section, err
}

// letter is a message to a customer as one reads it out: its paragraphs as sentences, one after the other.
func letter(message string) Cell {
	var said []string
	for paragraph := range strings.SplitSeq(message, "\n") {
		if paragraph = strings.TrimSpace(paragraph); paragraph == "" {
			continue
		}
		if !strings.ContainsAny(paragraph[len(paragraph)-1:], ".!?:") {
			paragraph += "."
		}
		said = append(said, paragraph)
	}
	return Cell{Text: terminal.OneLine(strings.Join(said, " ")), Value: message}
}

func (a account) disputes(ctx context.Context, store *postgres.Store) (Section, error) {
	section := Section{Key: "disputes", Title: "Disputes", Empty: "no disputes", Columns: []Column{{"id", "Dispute"}, {"purchase_id", "Purchase"}, {"charge_id", "Charge"}, {"phase", "Phase"}, {"status", "At Stripe"},
		{"reason", "Reason"}, {"opened_at", "Opened"}, {"evidence_due_by", "Evidence due"}, {"amount", "Amount"}}}
	type dispute struct {
		ID                                      string
		ChargeID                                string
		PurchaseID                              string
		Phase, Status, Reason, Amount, Currency string
		OpenedAt                                *time.Time
		EvidenceDueBy                           *time.Time
	}
	var err error
	section.Rows, err = rows(ctx, store, "explain/account_disputes", a.args(nil), func(d dispute) []Cell {
		return []Cell{text(d.ID), text(d.PurchaseID), text(d.ChargeID), words(d.Phase), words(d.Status), words(d.Reason), instant(d.OpenedAt), instant(d.EvidenceDueBy),
			amount(sql.NullString{String: d.Amount, Valid: true}, d.Currency)}
	})
	return section, err
}

func (a account) breaks(ctx context.Context, store *postgres.Store) (Section, error) {
	section := Section{Key: "breaks", Title: "Open breaks", Empty: "no open breaks", Columns: []Column{{"id", "Break"}, {"kind", "Kind"}, {"severity", "Severity"}, {"subject_id", "Subject"}, {"first_seen", "Since"},
		{"variance", "Difference"}, {"owner", "Owner"}}}
	type openBreak struct {
		ID, Kind, Severity    string
		SubjectID             string
		OpenedOn              reconcile.Date
		Variance, Unit, Owner string
	}
	var err error
	section.Rows, err = rows(ctx, store, "explain/account_breaks", a.args(nil), func(b openBreak) []Cell {
		return []Cell{text(b.ID), words(b.Kind), text(b.Severity), text(b.SubjectID), text(b.OpenedOn.String()), amount(sql.NullString{String: b.Variance, Valid: true}, b.Unit), text(b.Owner)}
	})
	return section, err
}
