package faultlab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/refunds"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
)

// refereePackage is a simulation of Stripe by other people, with refunds and idempotency keys of its own.
const refereePackage = "stripe-stateful-mock@0.0.16"

const refereeKey = "sk_test_referee"

// installReferee gets it; "" where there is no node or npm to run it with, or nowhere to get it from.
func installReferee(t *testing.T) (folder string) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("CI has to have %s", tool)
			}
			return ""
		}
	}
	folder = filepath.Join(os.TempDir(), fmt.Sprintf("faultlab-referee-0.0.16-%d", os.Getuid()))
	if _, err := os.Stat(folder); err != nil {
		unfinished, err := os.MkdirTemp("", "faultlab-referee-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(unfinished)
		install := exec.Command("npm", "install", "--prefix", unfinished, "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "--fetch-retries=1", refereePackage)
		if out, err := install.CombinedOutput(); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("npm install %s: %v\n%s", refereePackage, err, out)
			}
			return ""
		}
		// Another test process may have put it there meanwhile.
		if err := os.Rename(unfinished, folder); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	return folder
}

// referee starts it, with an empty account.
func referee(t *testing.T, folder string) (base string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	server := exec.Command("node", "-e", fmt.Sprintf(`require("stripe-stateful-mock").createExpressApp().listen(%d, "127.0.0.1")`, port))
	server.Dir = folder
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	base = fmt.Sprintf("http://127.0.0.1:%d", port)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if response, err := http.Get(base + "/"); err == nil {
			response.Body.Close()
			return base
		}
		if time.Now().After(deadline) {
			t.Fatal("the referee did not start")
		}
	}
}

// ask sends a request to the referee past the proxy.
func ask(t *testing.T, method, address string, form url.Values, into any) {
	t.Helper()
	request, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+refereeKey)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %v %s", method, address, response.StatusCode, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatal(err)
	}
}

// dropping is a proxy in front of the referee that drops connections: before a request is passed on, or after the referee has answered it.
type dropping struct {
	proxy *httputil.ReverseProxy
	calls atomic.Int64
	// drop says which calls are dropped, and whether after they were carried out.
	drop    func(call int64, method string) (before, after bool)
	dropped atomic.Int64
}

func (d *dropping) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	before, after := d.drop(d.calls.Add(1), r.Method)
	if before {
		d.dropped.Add(1)
		panic(http.ErrAbortHandler)
	}
	if !after {
		d.proxy.ServeHTTP(w, r)
		return
	}
	d.proxy.ServeHTTP(httptest.NewRecorder(), r) // carried out, and nobody hears of it
	d.dropped.Add(1)
	panic(http.ErrAbortHandler)
}

// TestAnIndependentRefereeCountsOneRefund executes plans against somebody else's Stripe behind a proxy that drops connections after success:
// one refund of each charge there, whatever happens.
func TestAnIndependentRefereeCountsOneRefund(t *testing.T) {
	t.Parallel()
	folder := installReferee(t)
	if folder == "" {
		t.Logf("no node, npm or %s here: the referee does not play; CI has them", refereePackage)
		return
	}
	w := start(t)
	cases := map[string]func(call int64, method string) (before, after bool){
		"every refund is answered to nobody, once": func() func(int64, string) (bool, bool) {
			posts := 0
			return func(_ int64, method string) (bool, bool) {
				if method == http.MethodPost {
					posts++
					return false, posts%2 == 1
				}
				return false, false
			}
		}(),
		"no refund is ever answered":            func(_ int64, method string) (bool, bool) { return false, method == http.MethodPost },
		"every fifth call is lost":              func(call int64, _ string) (bool, bool) { return call%5 == 0, false },
		"every seventh is carried out silently": func(call int64, _ string) (bool, bool) { return false, call%7 == 0 },
	}
	var counts tally
	for _, name := range sortedKeys(cases) {
		l := w.open(t)
		base := referee(t, folder) // another one each time: the plans' keys are the same
		target, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		proxy := &dropping{proxy: httputil.NewSingleHostReverseProxy(target), drop: cases[name]}
		server := httptest.NewServer(proxy)
		planID, charges := l.moveToReferee(t, base)
		options := l.options(refereeKey)
		options.BaseURL = server.URL
		client, err := stripefeed.New(options)
		if err != nil {
			t.Fatal(err)
		}
		var violations []string
		runs := 0
		for {
			worker, closeWorker := l.must(false)
			worker.Refunds = client
			_, err := worker.RefundDesk().Execute(context.Background(), planID, "Carol")
			closeWorker()
			if runs++; err == nil {
				break
			}
			if !retryable(err) || runs == 60 {
				t.Fatalf("%s, run %d: %v", name, runs, err)
			}
		}
		server.Close()
		for charge, amount := range charges {
			var refunds struct {
				Data []struct {
					Amount   int64
					Metadata map[string]string
				}
			}
			ask(t, http.MethodGet, base+"/v1/refunds?charge="+charge, nil, &refunds)
			if len(refunds.Data) != 1 {
				violations = append(violations, fmt.Sprintf("the referee counts %d refunds of %s", len(refunds.Data), charge))
				continue
			}
			if r := refunds.Data[0]; r.Amount != amount || r.Metadata["reconciler_plan"] != planID {
				violations = append(violations, fmt.Sprintf("the referee has refunded %d of %s, planned were %d: %v", r.Amount, charge, amount, r.Metadata))
			}
		}
		counts.add(runs, proxy.dropped.Load() > 0, violations, t, name)
		l.drop()
	}
	counts.tell(t, "independent referee")
}

// moveToReferee makes the business's charges there, and plans their refunds anew.
func (l *lab) moveToReferee(t *testing.T, base string) (planID string, charges map[string]int64) {
	t.Helper()
	worker, closeWorker := l.must(false)
	defer closeWorker()
	ctx := context.Background()
	if _, err := worker.RefundDesk().Cancel(ctx, l.planID, "Anna", "the charges are at the referee now"); err != nil {
		t.Fatal(err)
	}
	for i := range refundsPlanned {
		var charge struct{ ID string }
		ask(t, http.MethodPost, base+"/v1/charges", url.Values{"amount": {fmt.Sprint(10_000 + 10*i)}, "currency": {"usd"}, "source": {"tok_visa"}}, &charge)
		const before = "(SELECT stripe_charge_id FROM platform.purchases WHERE id = $2)"
		for _, statement := range []string{
			"UPDATE reconciler.refund_decisions SET charge_id = $1 WHERE purchase_id = $2",
			"UPDATE reconciler.stripe_charges SET id = $1 WHERE id = " + before,
			"UPDATE reconciler.stripe_states SET object_id = $1 WHERE object_id = " + before,
			"UPDATE reconciler.stripe_balance_transactions SET source_id = $1 WHERE source_id = " + before,
			"UPDATE platform.purchases SET stripe_charge_id = $1 WHERE id = $2",
		} {
			if _, err := l.db.Exec(statement, charge.ID, fmt.Sprintf("pur_%d", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	view, _, err := worker.RefundDesk().Plan(ctx, firstDay, "Anna")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.approve(view.PlanID, "Ben", view.PlanSha256); err != nil {
		t.Fatal(err)
	}
	charges = map[string]int64{}
	for _, item := range view.Items {
		charges[item.ChargeID] = item.AmountMinor
	}
	if len(charges) != refundsPlanned {
		t.Fatalf("planned were refunds of %d charges", len(charges))
	}
	return view.PlanID, charges
}

var _ refunds.Gateway = (*stripefeed.Client)(nil)
