package month

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/journal"
	"github.com/hummingbytes/reconciler/reports/month"
)

// gather reads a month as it stands. Notes on breaks are those of the instant at; of a closed month, of its closing.
func (o *Office) gather(ctx context.Context, q postgres.Querier, m reconcile.Month, s status, at time.Time) (in *month.Input, err error) {
	in = &month.Input{Month: m, TimeZone: o.Zone.String(), CodeVersion: o.CodeVersion, Chart: o.Chart}
	if in.SignOff, err = s.signOff(ctx, q, m); err != nil {
		return nil, err
	}
	if s.closed != nil {
		at = s.closed.At
	}
	if err := o.nights(ctx, q, in); err != nil {
		return nil, err
	}
	g := &gathering{office: o, q: q, in: in, args: postgres.Args{"from": m.First(), "date": in.Through}}
	for _, step := range []func(context.Context) error{
		g.balances, g.cash, g.items, g.waterfall,
		func(ctx context.Context) error { return g.breaks(ctx, at) },
		func(ctx context.Context) error { return g.happened(ctx, at) },
		g.proofs,
	} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("month %s: %w", m, err)
		}
	}
	g.readJournal()
	return in, o.compared(ctx, q, in, s, at)
}

// nights are the month's nights, and those that are missing: none before the very first night of all.
func (o *Office) nights(ctx context.Context, q postgres.Querier, in *month.Input) error {
	m := in.Month
	if err := q.Select(ctx, &in.Nights, "month/nights", postgres.Args{"from": m.First(), "to": m.Last()}); err != nil {
		return err
	}
	if len(in.Nights) == 0 {
		return fmt.Errorf("%s: %w", m, ErrNoNights)
	}
	stored, err := publish.NightFigures(ctx, q, m.First(), m.Last())
	if err != nil {
		return err
	}
	statuses := map[reconcile.Date]figures.Status{}
	for _, night := range stored {
		statuses[night.Date] = night.Status
		if night.Stripe && night.Date.After(in.StripeSeen) {
			in.StripeSeen = night.Date
		}
	}
	for i := range in.Nights {
		in.Nights[i].Status = statuses[in.Nights[i].BusinessDate]
	}
	in.Through = in.Nights[len(in.Nights)-1].BusinessDate
	in.Missing, err = jobs.MissingNights(ctx, q, m)
	return err
}

// gathering reads the parts of a month.
type gathering struct {
	office *Office
	q      postgres.Querier
	in     *month.Input
	args   postgres.Args // of the month: from its first day through its last night

	carried map[string]numbers.Number // what nights carried on their own, by role and currency
}

type balanceRow struct {
	month.TrialBalance
	ThisYear numbers.Number
	Carried  numbers.Number
}

// balances are the trial balance, the roll-forward and the income statement.
func (g *gathering) balances(ctx context.Context) error {
	var rows []balanceRow
	if err := g.q.Select(ctx, &rows, "month/trial_balance", g.args); err != nil {
		return err
	}
	g.carried = map[string]numbers.Number{}
	totals := map[string]*month.Income{}
	var order []string
	for _, row := range rows {
		g.in.Trial = append(g.in.Trial, row.TrialBalance)
		if row.Carried.Known() {
			g.carried[string(row.Role)+" "+row.Currency] = row.Carried
			g.in.Balances = append(g.in.Balances, journal.LedgerBalance{Account: row.Account, Currency: row.Currency, Opening: row.Opening, Closing: row.Closing})
		}
		if !strings.HasPrefix(row.Account, "Income:") && !strings.HasPrefix(row.Account, "Expenses:") {
			continue
		}
		line := month.Income{Account: row.Account, Currency: row.Currency, Month: row.Credits.Minus(row.Debits), Year: row.ThisYear.Neg()}
		g.in.Income = append(g.in.Income, line)
		total := totals[row.Currency]
		if total == nil {
			total = &month.Income{Account: "Income less expenses", Currency: row.Currency, Month: "0", Year: "0", IsTotal: true}
			totals[row.Currency] = total
			order = append(order, row.Currency)
		}
		total.Month, total.Year = total.Month.Plus(line.Month), total.Year.Plus(line.Year)
	}
	slices.Sort(order)
	incomeFirst(g.in.Income)
	for _, currency := range order {
		g.in.Income = append(g.in.Income, *totals[currency])
	}
	return g.q.Select(ctx, &g.in.RollForward, "month/roll_forward", g.args)
}

func (g *gathering) cash(ctx context.Context) error {
	if err := g.q.Select(ctx, &g.in.Cash, "month/stripe_cash", g.args); err != nil {
		return err
	}
	return g.q.Select(ctx, &g.in.Activity, "month/stripe_activity", g.args)
}

// itemRow is an item with what its amount is made of.
type itemRow struct {
	month.OpenItem
	Booked    numbers.Number
	AtStripe  numbers.Number
	Cleared   numbers.Number
	Objects   string
	BreakKind string

	DisputeStatus string // at the end of the month
}

// items are what the balances of the accounts with open items consist of.
func (g *gathering) items(ctx context.Context) error {
	var roles, categories, categoryRoles []string
	for _, role := range g.office.Chart.Roles() {
		if role.HasOpenItems() {
			roles = append(roles, string(role))
		}
	}
	for _, category := range reconcile.ReportingCategories() {
		categories, categoryRoles = append(categories, category), append(categoryRoles, string(accounting.StripeRole(category)))
	}
	names := map[string]string{}
	for _, row := range g.in.Trial {
		names[string(row.Role)+" "+row.Currency] = row.Account
	}
	err := postgres.Each(ctx, g.q, "month/open_items", postgres.Args{
		"date": g.in.Through, "as_of": reconcile.NightOf(g.in.Through, g.office.Zone).End, "roles": roles, "categories": categories, "category_roles": categoryRoles,
		"cleared": accounting.EntryClearing, "activity": accounting.EntryStripe,
	}, func(row itemRow) error {
		row.Account = names[string(row.Role)+" "+row.Currency]
		row.Explanation = row.explain()
		g.in.Items = append(g.in.Items, row.OpenItem)
		return nil
	})
	sortItems(g.in.Items)
	return err
}

type owedRow struct {
	SoldMonth string
	Kind      string
	Currency  string
	Sold      numbers.Number
	Refunded  numbers.Number
	Remaining numbers.Number
}

func (r owedRow) key() string { return r.SoldMonth + " " + r.Kind + " " + r.Currency }

// waterfall is what has become of what was sold, month by month of its sale: as the month closes, less what had been earned as it opened, or as
// the books began in it.
func (g *gathering) waterfall(ctx context.Context) error {
	owed := func(day reconcile.Date) (rows []owedRow, err error) {
		err = g.q.Select(ctx, &rows, "month/owed", postgres.Args{
			"day_after": day, "begin": reconcile.NightOf(day, g.office.Zone).Begin, "date": g.in.Through, "zone": g.office.Zone.String(),
		})
		return rows, err
	}
	opens := g.in.Month.First()
	if begins := g.in.Nights[len(g.in.Nights)-1].BooksBegin; !begins.IsZero() {
		if first := reconcile.DateOf(begins.In(g.office.Zone)); first.After(opens) {
			opens = first
		}
	}
	opening, err := owed(opens)
	if err != nil {
		return err
	}
	closing, err := owed(g.in.Through.AddDays(1))
	if err != nil {
		return err
	}
	earnedBefore := map[string]numbers.Number{}
	for _, row := range opening {
		earnedBefore[row.key()] = row.earned()
	}
	for _, row := range closing {
		before := numbers.Number("0").Plus(earnedBefore[row.key()])
		if row.Sold.IsZero() && row.Refunded.IsZero() && row.Remaining.IsZero() && before.IsZero() {
			continue // an invoice that moved nothing
		}
		g.in.Waterfall = append(g.in.Waterfall, month.Waterfall{SoldMonth: row.SoldMonth, Kind: row.Kind, Currency: row.Currency, Sold: row.Sold, Refunded: row.Refunded,
			EarnedBefore: before, Earned: row.earned().Minus(before), Remaining: row.Remaining})
	}
	return nil
}

// earned is what of the sale is revenue by now.
func (r owedRow) earned() numbers.Number { return r.Sold.Minus(r.Refunded).Minus(r.Remaining) }

func (g *gathering) breaks(ctx context.Context, at time.Time) error {
	err := g.q.Select(ctx, &g.in.Breaks, "month/breaks", postgres.Args{"date": g.in.Through, "noted_by": at})
	off := &g.in.SignOff
	for i := range g.in.Breaks {
		b := &g.in.Breaks[i]
		if rule, ok := b.Kind.Rule(); ok {
			b.Action = rule.Action
		}
		switch b.Severity {
		case reconcile.Error:
			off.OpenErrors++
		case reconcile.Warning:
			off.OpenWarnings++
		default:
			off.OpenInfos++
		}
	}
	return err
}

// happened are the refunds, disputes and late items of the month; at is when it is asked which months are closed.
func (g *gathering) happened(ctx context.Context, at time.Time) error {
	if err := g.q.Select(ctx, &g.in.Refunds, "month/refunds", postgres.Args{"from": g.in.Month.First(), "date": g.in.Through,
		"as_of": reconcile.NightOf(g.in.Through, g.office.Zone).End}); err != nil {
		return err
	}
	if err := g.q.Select(ctx, &g.in.Disputes, "month/disputes", g.args); err != nil {
		return err
	}
	err := g.q.Select(ctx, &g.in.Late, "month/late_items", postgres.Args{"from": g.in.Month.First(), "date": g.in.Through, "zone": g.office.Zone.String()})
	if err != nil {
		return err
	}
	var closed []struct {
		Period  string
		Through reconcile.Date
	}
	if err := g.q.Select(ctx, &closed, "periods/closed_months", postgres.Args{"at": at}); err != nil {
		return err
	}
	for i := range g.in.Late {
		late := &g.in.Late[i]
		for _, c := range closed {
			if reconcile.MonthOf(late.BelongsTo).String() == c.Period && late.BookedOn.After(c.Through) {
				late.Signed = c.Period
			}
		}
	}
	return nil
}

// compared are the revisions that the month is compared with: its revision before, its last signed one, and the month before as it had been signed by
// the instant at.
func (o *Office) compared(ctx context.Context, q postgres.Querier, in *month.Input, s status, at time.Time) (err error) {
	in.Baseline = func(ctx context.Context, revision int) (month.Published, error) {
		return o.published(ctx, in.Month, revision)
	}
	if s.closed == nil {
		if in.Signed, err = o.signed(ctx, q, in.Month, at); err != nil {
			return err
		}
	}
	in.Before, err = o.signed(ctx, q, in.Month.Previous(), at)
	return err
}

// signed is the newest revision of a month that had been signed by an instant.
func (o *Office) signed(ctx context.Context, q postgres.Querier, m reconcile.Month, at time.Time) (month.Published, error) {
	var revisions []int
	err := q.Select(ctx, &revisions, "periods/signed_revision", postgres.Args{"period": m.String(), "at": at})
	if err != nil || len(revisions) == 0 {
		return month.Published{}, err
	}
	return o.published(ctx, m, revisions[0])
}

// Ledger is the journal of a month as it stands, for accounting packages: read while it is written, in the transaction of q.
func (o *Office) Ledger(ctx context.Context, q postgres.Querier, m reconcile.Month) (journal.Ledger, error) {
	in := &month.Input{Month: m, Chart: o.Chart}
	if err := o.nights(ctx, q, in); err != nil {
		return journal.Ledger{}, err
	}
	g := &gathering{office: o, q: q, in: in, args: postgres.Args{"from": m.First(), "date": in.Through}}
	if err := g.balances(ctx); err != nil {
		return journal.Ledger{}, err
	}
	g.readJournal()
	return in.Ledger(), nil
}

func (g *gathering) readJournal() {
	g.in.Journal = func(ctx context.Context, fn func(month.JournalLine) error) error {
		return postgres.Each(ctx, g.q, "month/journal", g.args, fn)
	}
}
