package stripetest

import (
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"time"
)

// BalanceTransaction is one movement of the balance. Amounts are minor units of Currency.
type BalanceTransaction struct {
	Object
	Type              string
	ReportingCategory string
	Amount, Fee, Net  int64 // Net = Amount - Fee
	Currency          string
	ExchangeRate      string // decimal number, "" when none applies
	Fees              []Fee
	Description       string
	Source            string // id of what moved the balance, "" when there is none
	AvailableOn       time.Time
	Payout            string // the automatic payout that it is part of

}

func (t *BalanceTransaction) status(now time.Time) string {
	if t.AvailableOn.After(now) {
		return "pending"
	}
	return "available"
}

func (t *BalanceTransaction) field(name string, _ time.Time) string {
	switch name {
	case "source":
		return t.Source
	case "payout":
		return t.Payout
	case "type":
		return t.Type
	case "currency":
		return t.Currency
	}
	return ""
}

func (t *BalanceTransaction) write(w *writer) {
	w.open()
	w.head("balance_transaction", t.Object)
	w.number("amount", t.Amount)
	w.number("available_on", t.AvailableOn.Unix())
	w.text("currency", t.Currency)
	w.textOrNull("description", t.Description)
	if t.ExchangeRate == "" {
		w.raw("exchange_rate", "null")
	} else {
		w.raw("exchange_rate", t.ExchangeRate)
	}
	w.number("fee", t.Fee)
	w.name("fee_details")
	w.buf = append(w.buf, '[')
	for _, fee := range t.Fees {
		w.open()
		w.number("amount", fee.Amount)
		if fee.Type == "application_fee" {
			w.text("application", application)
		} else {
			w.raw("application", "null")
		}
		w.text("currency", t.Currency)
		w.textOrNull("description", fee.Description)
		w.text("type", fee.Type)
		w.close()
	}
	w.buf = append(w.buf, ']')
	w.comma = true
	w.number("net", t.Net)
	w.text("reporting_category", t.ReportingCategory)
	w.ref("source", t.Source)
	w.expand.child("source").touch() // what can be expanded below differs by kind of source
	w.text("status", t.status(w.now))
	w.text("type", t.Type)
	w.close()
}

// post moves the balance: the one place where it changes.
func (b *books) post(now time.Time, t BalanceTransaction) *BalanceTransaction {
	t.Object = b.object("txn", now)
	t.Fee = total(t.Fees)
	t.Net = t.Amount - t.Fee
	for i := range t.Fees {
		setDefault(&t.Fees[i].Type, "stripe_fee")
	}
	if t.AvailableOn.IsZero() {
		t.AvailableOn = now
	}
	posted := &t
	b.transactions.add(posted)
	b.net[t.Currency] += t.Net
	if t.Payout == "" {
		b.unpaid[t.Currency] = append(b.unpaid[t.Currency], posted)
	}
	return posted
}

// Balance is what the account holds in one currency, in minor units.
type Balance struct {
	Currency           string
	Available, Pending int64
}

// Balances are the account's balances as of the simulated now, by currency.
func (s *Stripe) Balances() []Balance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.books.balances(s.now())
}

// balances sums what is still pending; the rest of what was posted is available.
func (b *books) balances(now time.Time) []Balance {
	balances := map[string]Balance{b.options.Currency: {Currency: b.options.Currency}}
	for currency, net := range b.net {
		balances[currency] = Balance{Currency: currency, Available: net}
	}
	for _, t := range all[BalanceTransaction](b.transactions.rows) {
		if t.AvailableOn.After(now) {
			balance := balances[t.Currency]
			balance.Available -= t.Net
			balance.Pending += t.Net
			balances[t.Currency] = balance
		}
	}
	sorted := make([]Balance, 0, len(balances))
	for _, currency := range slices.Sorted(maps.Keys(balances)) {
		sorted = append(sorted, balances[currency])
	}
	return sorted
}

func (b *books) balanceDocument(now time.Time) []byte {
	w := &writer{books: b, now: now}
	balances := b.balances(now)
	amounts := func(name string, amount func(Balance) int64) {
		w.name(name)
		w.buf = append(w.buf, '[')
		for _, balance := range balances {
			w.open()
			w.number("amount", amount(balance))
			w.text("currency", balance.Currency)
			w.name("source_types")
			w.open()
			w.number("card", amount(balance))
			w.close()
			w.close()
		}
		w.buf = append(w.buf, ']')
		w.comma = true
	}
	w.open()
	w.text("object", "balance")
	amounts("available", func(b Balance) int64 { return b.Available })
	w.boolean("livemode", b.livemode)
	amounts("pending", func(b Balance) int64 { return b.Pending })
	w.close()
	return w.buf
}

// Adjustment is a movement of the balance that no payment, refund, dispute or payout causes: fees billed apart,
// corrections, reserves, taxes. Amount is signed.
type Adjustment struct {
	Amount            int64
	Currency          string
	Type              string // default "adjustment"
	ReportingCategory string // default "other_adjustment"; any text, so that unknown ones can be planted
	Description       string
	Fees              []Fee
	AvailableIn       time.Duration
}

// Adjust posts an adjustment.
func (s *Stripe) Adjust(adjustment Adjustment) (BalanceTransaction, error) {
	return change(s, "adjust the balance", func(b *books, now time.Time) (BalanceTransaction, error) {
		if err := checkCurrency(adjustment.Currency); err != nil {
			return BalanceTransaction{}, err
		}
		setDefault(&adjustment.Type, "adjustment")
		setDefault(&adjustment.ReportingCategory, "other_adjustment")
		return *b.post(now, BalanceTransaction{
			Type: adjustment.Type, ReportingCategory: adjustment.ReportingCategory,
			Amount: adjustment.Amount, Currency: adjustment.Currency, Description: adjustment.Description,
			Fees: slices.Clone(adjustment.Fees), AvailableOn: now.Add(adjustment.AvailableIn),
		}), nil
	})
}

// BillFee takes a fee that belongs to no charge (Radar, Billing, Connect ...), in minor units.
func (s *Stripe) BillFee(amount int64, currency, description string) (BalanceTransaction, error) {
	return s.Adjust(Adjustment{Amount: -amount, Currency: currency, Type: "stripe_fee", ReportingCategory: "fee", Description: description})
}

// BillTax takes the tax on fees that were billed apart, in minor units.
func (s *Stripe) BillTax(amount int64, currency, description string) (BalanceTransaction, error) {
	return s.Adjust(Adjustment{Amount: -amount, Currency: currency, Type: "tax_fee", ReportingCategory: "tax", Description: description})
}

// TopUp is money that the account's owner adds to the balance.
type TopUp struct {
	Object
	Amount             int64
	Currency           string
	Status             string
	BalanceTransaction string
	livemode           bool
}

// TopUp adds to the balance, in minor units.
func (s *Stripe) TopUp(amount int64, currency string) (TopUp, error) {
	return change(s, "top up", func(b *books, now time.Time) (TopUp, error) {
		if err := checkAmount(amount, currency); err != nil {
			return TopUp{}, err
		}
		topup := &TopUp{Object: b.object("tu", now), Amount: amount, Currency: currency, Status: "succeeded", livemode: b.livemode}
		topup.BalanceTransaction = b.post(now, BalanceTransaction{
			Type: "topup", ReportingCategory: "topup", Amount: amount, Currency: currency, Source: topup.ID, Description: "TOP-UP",
		}).ID
		b.topups.add(topup)
		return *topup, nil
	})
}

func (t *TopUp) field(string, time.Time) string { return "" }

func (t *TopUp) write(w *writer) {
	w.open()
	w.head("topup", t.Object)
	w.number("amount", t.Amount)
	w.ref("balance_transaction", t.BalanceTransaction)
	w.text("currency", t.Currency)
	w.raw("description", "null")
	w.number("expected_availability_date", t.Created.Unix())
	w.raw("failure_code", "null")
	w.raw("failure_message", "null")
	w.boolean("livemode", t.livemode)
	w.metadata(nil)
	w.raw("source", "null")
	w.raw("statement_descriptor", "null")
	w.text("status", t.Status)
	w.raw("transfer_group", "null")
	w.close()
}

func checkAmount(amount int64, currency string) error {
	if amount <= 0 {
		return fmt.Errorf("amount %d is not positive", amount)
	}
	return checkCurrency(currency)
}

func checkCurrency(currency string) error {
	if len(currency) != 3 {
		return fmt.Errorf("currency %q is not a three-letter code", currency)
	}
	for _, c := range currency {
		if c < 'a' || c > 'z' {
			return fmt.Errorf("currency %q is not in lower case", currency)
		}
	}
	return nil
}

// Fee is one line of a balance transaction's fee_details, in the currency of the transaction.
type Fee struct {
	Amount      int64  // minor units
	Type        string // "stripe_fee" (the default), "tax", "payment_method_passthrough_fee" or "application_fee"
	Description string
}

// Settlement says in which currency a payment reaches the balance. The zero value is the payment's own currency.
type Settlement struct {
	Currency string
	// Amount in minor units of Currency; 0 has it computed from Rate.
	Amount int64
	// Rate is a decimal number: how much of Currency (in major units) one major unit of the payment is.
	// Empty has it computed from Amount.
	Rate string
}

// decimal is how exchange rates are written, which is also how JSON writes numbers.
var decimal = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// exponent is the number of decimals that Stripe sends a currency's amounts with. The double has a table of its
// own on purpose: it stands for the other side of the wire.
func exponent(currency string) int {
	switch currency {
	case "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf":
		return 0
	case "bhd", "jod", "kwd", "omr", "tnd":
		return 3
	}
	return 2
}

func powerOfTen(exponent int) *big.Rat {
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
	rat := new(big.Rat).SetInt(power)
	if exponent < 0 {
		rat.Inv(rat)
	}
	return rat
}

// settle resolves a settlement: currency, amount and exchange rate ("" where none applies).
func settle(amount int64, currency string, to Settlement) (Settlement, error) {
	if to.Currency == "" || to.Currency == currency {
		if to.Amount != 0 && to.Amount != amount {
			return Settlement{}, fmt.Errorf("settlement of %d %s as %d in the same currency", amount, currency, to.Amount)
		}
		return Settlement{Currency: currency, Amount: amount}, nil
	}
	shift := powerOfTen(exponent(to.Currency) - exponent(currency))
	if to.Rate != "" {
		rate, ok := new(big.Rat).SetString(to.Rate)
		if !decimal.MatchString(to.Rate) || !ok || rate.Sign() <= 0 {
			return Settlement{}, fmt.Errorf("exchange rate %q is not a positive decimal number", to.Rate)
		}
		if to.Amount == 0 {
			to.Amount = roundHalfUp(rate.Mul(rate, shift).Mul(rate, new(big.Rat).SetInt64(amount)))
		}
		return to, nil
	}
	if to.Amount <= 0 || amount <= 0 {
		return Settlement{}, fmt.Errorf("settlement of %d %s in %s needs a rate or an amount", amount, currency, to.Currency)
	}
	rate := new(big.Rat).SetFrac64(to.Amount, amount)
	to.Rate = rate.Quo(rate, shift).FloatString(6)
	return to, nil
}

// roundHalfUp rounds to an integer, halves away from zero.
func roundHalfUp(value *big.Rat) int64 {
	half := big.NewRat(1, 2)
	if value.Sign() < 0 {
		return -roundHalfUp(new(big.Rat).Neg(value))
	}
	sum := new(big.Rat).Add(value, half)
	return new(big.Int).Quo(sum.Num(), sum.Denom()).Int64()
}

// share is whole * part / of, halves up, without overflow.
func share(whole, part, of int64) int64 {
	if of == 0 {
		return 0
	}
	return roundHalfUp(new(big.Rat).Mul(new(big.Rat).SetInt64(whole), big.NewRat(part, of)))
}

// defaultFees is a fee schedule like the public one: cards 2.9 % + 30, bank debits cheap and capped, 3.6 % where
// a currency has no decimals; and tax on it if the account has any.
func (b *books) defaultFees(method Method, settled int64, currency string) []Fee {
	var fee int64
	switch {
	case method == USBankAccount:
		fee = min(share(settled, 8, 1000), 500)
	case method == SEPADebit:
		fee = 35
	case exponent(currency) == 0:
		fee = share(settled, 36, 1000)
	default:
		fee = share(settled, 29, 1000) + 30
	}
	fees := []Fee{{Amount: fee, Type: "stripe_fee", Description: "Stripe processing fees"}}
	if tax := share(fee, b.options.FeeTaxBasisPoints, 10_000); tax != 0 {
		fees = append(fees, Fee{Amount: tax, Type: "tax", Description: "VAT"})
	}
	return fees
}

func total(fees []Fee) int64 {
	var sum int64
	for _, fee := range fees {
		sum += fee.Amount
	}
	return sum
}
