package month

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/month"
)

// proofs are the figures that are worked out twice: journals against what nights carried, items against balances, lots against the waterfall.
func (g *gathering) proofs(context.Context) error {
	in := g.in
	add := func(what, unit string, one, other numbers.Number) {
		one, other = numbers.Number("0").Plus(one), numbers.Number("0").Plus(other)
		in.Proofs = append(in.Proofs, month.Proof{What: what, Unit: unit, One: one, Other: other, Difference: one.Minus(other)})
	}
	sums := map[string]month.TrialBalance{}
	for _, row := range in.Trial {
		sum := sums[row.Currency]
		sum.Opening, sum.Closing = sum.Opening.Plus(row.Opening), sum.Closing.Plus(row.Closing)
		sum.Debits, sum.Credits = sum.Debits.Plus(row.Debits), sum.Credits.Plus(row.Credits)
		sums[row.Currency] = sum
	}
	var currencies []string
	for currency := range sums {
		currencies = append(currencies, currency)
	}
	slices.Sort(currencies)
	for _, currency := range currencies {
		add("Debits of the month against credits", currency, sums[currency].Debits, sums[currency].Credits)
	}
	for _, currency := range currencies {
		add("Opening of all accounts together against 0", currency, sums[currency].Opening, "0")
	}
	carried, fromLines := map[string]numbers.Number{}, map[string]numbers.Number{}
	itemSums := map[string]numbers.Number{}
	for _, item := range in.Items {
		key := item.Account + " " + item.Currency
		itemSums[key] = itemSums[key].Plus(item.Amount)
	}
	for _, row := range in.Trial {
		if value, ok := g.carried[string(row.Role)+" "+row.Currency]; ok && value.Minus(row.Closing).IsZero() {
			carried[row.Currency], fromLines[row.Currency] = carried[row.Currency].Plus(value.Abs()), fromLines[row.Currency].Plus(row.Closing.Abs())
		} else if ok {
			add("Balance of "+row.Account+": carried by the nights against its journal lines", row.Currency, value, row.Closing)
		}
	}
	for _, currency := range currencies {
		if carried[currency].Known() {
			add("Balances carried from night to night, without signs, against the journal's lines", currency, carried[currency], fromLines[currency])
		}
	}
	for _, row := range in.Trial {
		key := row.Account + " " + row.Currency
		if row.Role.HasOpenItems() && (!row.Closing.IsZero() || itemSums[key].Known()) {
			add("Open items of "+row.Account+" against its balance", row.Currency, itemSums[key], row.Closing)
		}
	}
	remaining, subscriptions := map[string]numbers.Number{}, map[string]numbers.Number{}
	for _, w := range in.Waterfall {
		remaining[w.Currency] = remaining[w.Currency].Plus(w.Remaining)
	}
	for _, row := range in.Trial {
		if row.Role == accounting.SubscriptionLiability {
			subscriptions[row.Currency] = row.Closing.Neg()
		}
	}
	for _, r := range in.RollForward {
		add("Closing against opening and movements", r.Measure, r.Closing, r.Opening.Plus(r.Purchases).Plus(r.Promotions).Plus(r.Usage).Plus(r.CreditBacks).Plus(r.Refunds).Plus(r.Adjustments).Plus(r.LateItems))
		add("Closing against the lots counted again", r.Measure, r.Closing, r.ClosingFromLots)
		if r.Measure != accounting.CreditUnit {
			add("Still owed in the revenue waterfall against the closing and subscriptions", r.Measure, remaining[r.Measure], r.Closing.Plus(subscriptions[r.Measure]))
		}
	}
	return nil
}

// explain says what an open item is.
func (r itemRow) explain() string {
	said := r.sentence()
	if !r.Cleared.IsZero() {
		said += " " + r.Cleared.Text(r.Currency) + " of it has been cleared since."
	}
	if r.Objects != "" && r.ItemType != "account" && r.ItemType != "month" {
		objects := strings.Fields(r.Objects)
		more := ""
		if len(objects) > 4 {
			objects, more = objects[:4], fmt.Sprintf(" and %d more", len(objects)-4)
		}
		said += " At Stripe: " + strings.Join(objects, ", ") + more + "."
	}
	if r.BreakKind != "" {
		said += " Open break: " + figures.KindName(reconcile.BreakKind(r.BreakKind)) + "."
	}
	return said
}

func (r itemRow) sentence() string {
	text := func(n numbers.Number) string { return n.Abs().Text(r.Currency) }
	switch r.Role {
	case accounting.PurchaseClearing:
		brought := r.AtStripe.Neg()
		switch {
		case r.Booked.IsZero() && r.ItemType == "charge":
			return "Charged " + text(brought) + " at Stripe; no purchase of the platform names it."
		case r.Booked.IsZero():
			return "Charged " + text(brought) + " at Stripe; the purchase is not in the books as a sale in this currency."
		case r.AtStripe.IsZero():
			return "Sold for " + text(r.Booked) + "; no charge has brought it yet."
		case brought.Compare(r.Booked) > 0:
			return "Sold for " + text(r.Booked) + ", charged " + text(brought) + ": charged beyond the purchase, and not given back."
		default:
			return "Sold for " + text(r.Booked) + ", charged " + text(brought) + ": the rest has not come."
		}
	case accounting.RefundClearing:
		payable := r.Booked.Neg()
		switch {
		case r.Booked.IsZero() && r.AtStripe.IsNegative():
			return "A refund of " + text(r.AtStripe) + " came back to Stripe, and the customer has not been paid otherwise."
		case r.Booked.IsZero():
			return "Stripe paid " + text(r.AtStripe) + " back; no credits were taken for it."
		case r.AtStripe.IsZero():
			return text(payable) + " is to be paid back; Stripe has not paid it."
		default:
			return text(payable) + " was to be paid back, and Stripe paid " + text(r.AtStripe) + "."
		}
	case accounting.DisputesReceivable:
		switch {
		case r.Booked.IsZero() && reconcile.PhaseOf(r.DisputeStatus) == reconcile.PhaseWon:
			return "Withdrawn for a dispute that was won; the money has not come back."
		case r.Booked.IsZero():
			return "Withdrawn for a dispute that is not decided."
		}
		return "Withdrawn for a dispute: " + text(r.AtStripe) + ", of which " + text(r.Booked) + " has been written off or taken back."
	case accounting.PayoutsInTransit:
		if r.Amount.IsNegative() {
			return "Debited from the bank for Stripe, and not at Stripe yet."
		}
		return "Left Stripe, and has not arrived at the bank."
	case accounting.StripeSuspense:
		return "A movement at Stripe that no rule knows; see its reporting category."
	case accounting.TaxPayable:
		return "Tax on what was sold and refunded in " + r.ItemID + ", for the tax office; that it was paid is not in these books."
	case accounting.CustomerBalances:
		if r.Amount.IsNegative() {
			return "Credit that the customer has for the next invoices."
		}
		return "Invoices took this from the customer's balance; where it came from is not in the books."
	default:
		return "Not settled yet."
	}
}

func sortItems(items []month.OpenItem) {
	slices.SortFunc(items, func(a, b month.OpenItem) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Currency, b.Currency), strings.Compare(a.ItemType, b.ItemType), strings.Compare(a.ItemID, b.ItemID))
	})
}

// incomeFirst puts income before expenses, each by account and currency.
func incomeFirst(rows []month.Income) {
	slices.SortStableFunc(rows, func(a, b month.Income) int {
		income := func(r month.Income) int {
			if strings.HasPrefix(r.Account, "Income:") {
				return 0
			}
			return 1
		}
		return cmp.Or(income(a)-income(b), strings.Compare(a.Account, b.Account), strings.Compare(a.Currency, b.Currency))
	})
}
