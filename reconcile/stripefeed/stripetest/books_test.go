package stripetest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"pgregory.net/rapid"
)

// Whatever happens to the business, in whatever order, the books tie: CheckBooks holds at every step, and the sum of
// all nets is the balance.
func TestBooksTieWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		clock := newClock()
		s := stripetest.New(stripetest.Options{Clock: clock.Now, Seed: rapid.Uint64().Draw(rt, "seed"), FeeTaxBasisPoints: 1_900})
		currencies := []string{"usd", "eur", "jpy", "kwd"}
		charges, refunds, disputes, payouts := []string{""}, []string{""}, []string{""}, []string{""}
		pick := func(ids []string) string { return rapid.SampledFrom(ids).Draw(rt, "id") }
		amount := func() int64 { return rapid.Int64Range(1, 1_000_000).Draw(rt, "amount") }
		done := 0
		// Steps that the double refuses are part of the game; what is refused must change nothing.
		count := func(err error) {
			if err == nil {
				done++
			}
		}
		steps := map[string]func(*rapid.T){
			"charge": func(rt *rapid.T) {
				p := stripetest.ChargeParams{
					Amount: amount(), Currency: rapid.SampledFrom(currencies).Draw(rt, "currency"),
					Method:    rapid.SampledFrom([]stripetest.Method{stripetest.Card, stripetest.SEPADebit, stripetest.USBankAccount}).Draw(rt, "method"),
					Authorize: rapid.Bool().Draw(rt, "authorize"), EarlyTransaction: rapid.Bool().Draw(rt, "early"), LateTransaction: rapid.Bool().Draw(rt, "late"),
					ApplicationFee: rapid.SampledFrom([]int64{0, 100}).Draw(rt, "application fee"),
				}
				if rapid.Bool().Draw(rt, "converted") {
					p.Settlement = stripetest.Settlement{Currency: rapid.SampledFrom(currencies).Draw(rt, "settled in"), Rate: rapid.SampledFrom([]string{"0.006634", "1.0837", "150.05"}).Draw(rt, "rate")}
				}
				c, err := s.CreateCharge(p)
				count(err)
				if err == nil {
					charges = append(charges, c.ID)
				}
			},
			"settle":  func(*rapid.T) { _, err := s.SettleCharge(pick(charges)); count(err) },
			"fail":    func(*rapid.T) { _, err := s.FailCharge(pick(charges), "insufficient_funds"); count(err) },
			"capture": func(*rapid.T) { _, err := s.Capture(pick(charges), amount()); count(err) },
			"capture more": func(rt *rapid.T) {
				_, err := s.CaptureWith(pick(charges), stripetest.CaptureParams{Amount: rapid.SampledFrom([]int64{0, 1, 333, 5_000}).Draw(rt, "part"),
					Basil: rapid.Bool().Draw(rt, "basil"), More: rapid.Bool().Draw(rt, "more")})
				count(err)
			},
			"let go":  func(*rapid.T) { _, err := s.ReleaseAuthorization(pick(charges)); count(err) },
			"release": func(*rapid.T) { _, err := s.CancelAuthorization(pick(charges)); count(err) },
			"refund": func(rt *rapid.T) {
				r, err := s.CreateRefund(stripetest.RefundParams{
					Charge: pick(charges), Amount: rapid.SampledFrom([]int64{0, 1, 333, 5_000}).Draw(rt, "part"),
					Pending: rapid.Bool().Draw(rt, "pending"), Unfunded: rapid.Bool().Draw(rt, "unfunded"),
				})
				count(err)
				if err == nil {
					refunds = append(refunds, r.ID)
				}
			},
			"debit returned":   func(*rapid.T) { _, err := s.ReturnDebit(pick(charges), "insufficient_funds", 400); count(err) },
			"refund fails":     func(*rapid.T) { _, err := s.FailRefund(pick(refunds), "unknown"); count(err) },
			"refund succeeds":  func(*rapid.T) { _, err := s.SucceedRefund(pick(refunds)); count(err) },
			"refund canceled":  func(*rapid.T) { _, err := s.CancelRefund(pick(refunds)); count(err) },
			"negative payouts": func(*rapid.T) { _, err := s.RunNegativePayouts(); count(err) },
			"payout reversed":  func(*rapid.T) { _, err := s.ReversePayout(pick(payouts)); count(err) },
			"return": func(rt *rapid.T) {
				_, err := s.ReturnDispute(pick(disputes), stripetest.DisputeReturn{
					Amount: rapid.SampledFrom([]int64{-1, 0, 1, 500, 5_000}).Draw(rt, "back"), Fee: rapid.SampledFrom([]int64{0, 500, 1_500}).Draw(rt, "fee back"),
					FeeApart: rapid.Bool().Draw(rt, "fee apart"), Status: rapid.SampledFrom([]string{"", "won", "lost"}).Draw(rt, "status"),
				})
				count(err)
			},
			"dispute": func(rt *rapid.T) {
				d, err := s.OpenDispute(stripetest.DisputeParams{
					Charge: pick(charges), Inquiry: rapid.Bool().Draw(rt, "inquiry"), FeeApart: rapid.Bool().Draw(rt, "fee apart"),
					Withdraw: rapid.SampledFrom([]int64{0, 0, 777}).Draw(rt, "other rate"),
				})
				count(err)
				if err == nil {
					disputes = append(disputes, d.ID)
				}
			},
			"escalate": func(*rapid.T) { _, err := s.EscalateDispute(pick(disputes)); count(err) },
			"win": func(rt *rapid.T) {
				_, err := s.WinDispute(pick(disputes), rapid.Bool().Draw(rt, "fee back"))
				count(err)
			},
			"lose": func(*rapid.T) { _, err := s.LoseDispute(pick(disputes)); count(err) },
			"reinstate": func(*rapid.T) {
				_, err := s.ReturnDispute(pick(disputes), stripetest.DisputeReturn{Amount: amount()})
				count(err)
			},
			"payouts": func(*rapid.T) {
				made, err := s.RunAutomaticPayouts()
				count(err)
				for _, p := range made {
					payouts = append(payouts, p.ID)
				}
			},
			"payout by hand": func(rt *rapid.T) {
				p, err := s.CreatePayout(stripetest.PayoutParams{Amount: amount(), Currency: rapid.SampledFrom(currencies).Draw(rt, "currency"), Instant: rapid.Bool().Draw(rt, "instant")})
				count(err)
				if err == nil {
					payouts = append(payouts, p.ID)
				}
			},
			"payout fails": func(*rapid.T) { _, err := s.FailPayout(pick(payouts), "account_closed"); count(err) },
			"top up":       func(*rapid.T) { _, err := s.TopUp(amount(), "usd"); count(err) },
			"fee":          func(*rapid.T) { _, err := s.BillFee(amount(), "eur", "Radar"); count(err) },
			"time passes":  func(rt *rapid.T) { clock.advance(time.Duration(rapid.IntRange(1, 72).Draw(rt, "hours")) * time.Hour) },
			"":             func(rt *rapid.T) {},
		}
		steps[""] = func(rt *rapid.T) {
			if err := s.CheckBooks(); err != nil {
				rt.Fatalf("after %d events: %v", done, err)
			}
			net := map[string]int64{}
			for _, transaction := range s.BalanceTransactions() {
				net[transaction.Currency] += transaction.Net
			}
			for _, balance := range s.Balances() {
				if balance.Available+balance.Pending != net[balance.Currency] {
					rt.Fatalf("%+v, by the transactions %d", balance, net[balance.Currency])
				}
			}
		}
		rt.Repeat(steps)
	})
}

func TestTheSameSeedAndBusinessGiveTheSameBytes(t *testing.T) {
	var states, bodies []string
	for range 2 {
		s, clock := newStripe(t, func(o *stripetest.Options) { o.ValidateResponses = nil })
		simulate(t, s, clock)
		base := listen(t, s)
		states = append(states, fmt.Sprintf("%+v", s.State()))
		bodies = append(bodies, fetch(t, s, base, "/v1/balance_transactions?limit=100&expand[]=data.source").body)
	}
	if states[0] != states[1] || bodies[0] != bodies[1] || len(states[0]) < 1_000 {
		t.Error("two runs differ")
	}
	other, clock := newStripe(t, func(o *stripetest.Options) { o.Seed = 2 })
	simulate(t, other, clock)
	if other.Charges()[0].ID == "" || fmt.Sprintf("%+v", other.State()) == states[0] {
		t.Error("another seed gives the same ids")
	}
}

// Ids are unique even across many objects of a prefix.
func TestIDsAreUnique(t *testing.T) {
	s, _ := newStripe(t)
	seen := map[string]bool{}
	for range 20_000 {
		customer := must[stripetest.Customer](t)(s.CreateCustomer("a@example.com", nil))
		if seen[customer.ID] || len(customer.ID) != len("cus_1")+23 {
			t.Fatalf("id %s", customer.ID)
		}
		seen[customer.ID] = true
	}
}

func TestStateSeesWhatARunChanged(t *testing.T) {
	build := func() *stripetest.Stripe {
		s, _ := newStripe(t)
		for range 3 {
			must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}))
		}
		return s
	}
	refund := func(s *stripetest.Stripe, order ...int) {
		for _, i := range order {
			must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: s.Charges()[i].ID, Metadata: map[string]string{"refund_intent": fmt.Sprint(i)}}))
		}
	}
	one, other, third := build(), build(), build()
	refund(one, 0, 2)
	refund(other, 2, 0)
	refund(third, 0)
	if !reflect.DeepEqual(one.State(), other.State()) {
		t.Errorf("the order of refunds matters:\n%+v\n%+v", one.State(), other.State())
	}
	if reflect.DeepEqual(one.State(), third.State()) {
		t.Error("a missing refund goes unnoticed")
	}
}

func TestActivityIsHalfOpen(t *testing.T) {
	s, clock := newStripe(t)
	at := clock.Now()
	must[stripetest.BalanceTransaction](t)(s.BillFee(7, "usd", "Radar"))
	if got := s.Activity(at, at.Add(time.Second)); len(got) != 1 || got[0] != (stripetest.Activity{Currency: "usd", ReportingCategory: "fee", Count: 1, Amount: -7, Net: -7}) {
		t.Errorf("%+v", got)
	}
	if got := s.Activity(at.Add(-time.Second), at); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// Business, reads, writes, faults and inspection at once; the race detector watches.
func TestEverythingAtOnce(t *testing.T) {
	s, clock := newStripe(t, func(o *stripetest.Options) { o.RecordLimit = 30 })
	for range 20 {
		must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}))
	}
	base := listen(t, s)
	charges := s.Charges()
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 25 {
				switch worker {
				case 0:
					if _, err := s.CreateCharge(stripetest.ChargeParams{Amount: 500, Currency: "eur"}); err != nil {
						t.Error(err)
					}
					clock.advance(time.Hour)
				case 1:
					for _, path := range []string{"/v1/charges?expand[]=data.balance_transaction", "/v1/balance", "/v1/balance_transactions"} {
						get(t, authorized(t, s, base+path))
					}
				case 2:
					form := map[string][]string{"charge": {charges[i%20].ID}, "amount": {"10"}}
					post(t, s, base, fmt.Sprint("k", i%5), form)
				case 3:
					s.SetFaults(stripetest.Fault{Match: stripetest.Match{Path: "/v1/nowhere"}, Kind: stripetest.RateLimit})
					s.State()
					s.Requests()
					if err := s.CheckBooks(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	requests := s.Requests()
	numbers := make([]int, len(requests))
	for i, request := range requests {
		numbers[i] = request.Number
	}
	if len(requests) != 30 || !slices.IsSorted(numbers) || numbers[29] != s.Calls() {
		t.Errorf("recorded %v of %d", numbers, s.Calls())
	}
}

func authorized(t testing.TB, s *stripetest.Stripe, url string) *http.Request {
	t.Helper()
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.ReadKey())
	return request
}

// year fills a double with a year of business: n payments, 2 % refunds, 1 % disputes, three currencies, daily payouts.
func year(t testing.TB, n int) *stripetest.Stripe {
	t.Helper()
	clock := newClock()
	s := stripetest.New(stripetest.Options{Clock: clock.Now})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range n {
		clock.advance(365 * day / time.Duration(n))
		c := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: int64(1_000 + i%9_000), Currency: []string{"usd", "eur", "jpy"}[i%3], Metadata: map[string]string{"purchase_id": fmt.Sprint("pur_", i)}}))
		switch i % 100 {
		case 0, 1:
			must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: c.ID}))
		case 2:
			must[stripetest.Dispute](t)(s.OpenDispute(stripetest.DisputeParams{Charge: c.ID}))
		}
		if i%max(n/365, 1) == 0 {
			must[[]stripetest.Payout](t)(s.RunAutomaticPayouts())
		}
	}
	return s
}

func BenchmarkYearOfBusiness(b *testing.B) {
	for b.Loop() {
		year(b, 10_000)
	}
}

// Pages of 100 over HTTP, as a sync reads them: rows/s is the figure to look at.
func BenchmarkPages(b *testing.B) {
	s := year(b, 30_000)
	base := listen(b, s)
	for _, path := range []string{"/v1/balance_transactions", "/v1/charges", "/v1/charges?expand[]=data.balance_transaction"} {
		b.Run(path, func(b *testing.B) {
			rows, cursor := 0, ""
			for b.Loop() {
				target := base + path + map[bool]string{true: "&", false: "?"}[len(path) > 30] + "limit=100"
				if cursor != "" {
					target += "&starting_after=" + cursor
				}
				var page struct {
					Data    []struct{ ID string }
					HasMore bool `json:"has_more"`
				}
				if err := json.Unmarshal([]byte(do(b, authorized(b, s, target)).body), &page); err != nil {
					b.Fatal(err)
				}
				rows += len(page.Data)
				cursor = ""
				if page.HasMore {
					cursor = page.Data[len(page.Data)-1].ID
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkHandler serves pages without a network and without a client that decodes them.
func BenchmarkHandler(b *testing.B) {
	s := year(b, 30_000)
	middle := s.BalanceTransactions()[15_000].ID
	request := authorized(b, s, "http://localhost/v1/balance_transactions?limit=100&starting_after="+middle)
	request.Body = http.NoBody
	for b.Loop() {
		s.ServeHTTP(nowhere{http.Header{}}, request)
	}
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "rows/s")
}

type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header            { return w.header }
func (w nowhere) Write(body []byte) (int, error) { return len(body), nil }
func (w nowhere) WriteHeader(int)                {}
