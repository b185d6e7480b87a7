package stripetest

import (
	"fmt"
	"math/big"
	"regexp"
)

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
