package desk_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/hummingbytes/reconciler/reports/reportstest"
)

// The desk in a real browser: people sign in, filter, assign and resolve with the keyboard and no script of the page's own, and axe-core objects to
// nothing, from phone to wide screen, in light, dark and print.
func TestTheDeskInABrowser(t *testing.T) {
	t.Parallel()
	browser := reportstest.OpenBrowser(t)
	if browser == nil {
		return
	}
	o := open(t, "reconciler_app")
	o.fill(130)
	o.db.MustExec(`INSERT INTO reconciler.publications (business_date, revision, as_of, manifest_sha256, location, published_at) VALUES ('2026-03-05', 1, '2026-03-06', '', '', '2026-03-06')`)
	o.db.MustExec(`INSERT INTO reconciler.night_figures (business_date, measure, unit, value) VALUES ('2026-03-05', 'status', '', 0), ('2026-03-05', 'errors', '', 130)`)
	look := func(name string) {
		t.Helper()
		browser.Judge(name, reportstest.Looks...)
	}
	run, text := browser.Run, browser.Text
	run(chromedp.Navigate(o.server.URL + "/breaks"))
	look("sign-in")
	run(chromedp.SendKeys("#name", "Ana Ruiz"), chromedp.SendKeys("#password", "wrong\r"), chromedp.WaitVisible(`[role="alert"]`))
	run(chromedp.SendKeys("#password", "Ana Ruiz's password\r"), chromedp.WaitVisible("#severity"))
	look("breaks")
	o.db.MustExec(`INSERT INTO reconciler.break_work (account_id, break_id, work_no, actor, state, due_on, note, at)
		SELECT account_id, break_id, 1, 'Bo Li', 'investigating', '2026-03-05', '', '2026-03-05' FROM reconciler.breaks WHERE break_id <> 'brk_00000007'`)
	run(chromedp.SendKeys("#state", "investigating"), chromedp.SendKeys("#due", "2026-03-06"), chromedp.Click(`[name="overdue"]`))
	browser.Follow(chromedp.Click(`form[action="/breaks"] button`))
	browser.Follow(chromedp.Click(`a[rel="next"]`))
	var state, due string
	var overdue bool
	run(chromedp.Value("#state", &state), chromedp.Value("#due", &due), chromedp.Evaluate(`document.querySelector('[name="overdue"]').checked`, &overdue))
	if got := text(); strings.Count(got, "(investigating)") != 29 || state != "investigating" || due != "2026-03-06" || !overdue {
		t.Errorf("the second page of what is overdue and looked into, filtered by %q, %q, %v:\n%s", state, due, overdue, got)
	}
	run(chromedp.Clear("#due"), chromedp.SendKeys("#due", "soon"), chromedp.Click(`form[action="/breaks"] button`), chromedp.WaitVisible(`[role="alert"]`))
	if got := text(); !strings.Contains(got, "is no date") {
		t.Errorf("filtered by what is no date:\n%s", got)
	}
	look("filtered by what is no date")
	run(chromedp.Navigate(o.server.URL + "/"))
	if got := text(); !strings.Contains(got, "2026-03-05") {
		t.Errorf("the index:\n%s", got)
	}
	look("index")
	run(chromedp.Navigate(o.server.URL+"/breaks"), chromedp.SendKeys("#subject", "job_7"+hostile[1]+"\r"), chromedp.WaitVisible("tbody tr th a"), chromedp.Click("tbody tr th a"), chromedp.WaitVisible("#note"))
	look("break")
	run(chromedp.SendKeys("#o", "Ana Ruiz"), chromedp.SendKeys("#note", "asked the bank"), chromedp.Click(`form[action$="/work"] button`), chromedp.WaitVisible(`//td[contains(., "asked the bank")]`))
	run(chromedp.SendKeys("#reason", "booked twice, reversed by hand"), chromedp.Click(`form[action$="/resolve"] button`), chromedp.WaitVisible(`//td[contains(., "reversed by hand")]`))
	if got := text(); !strings.Contains(got, "resolved") || strings.Contains(got, "Work on it") {
		t.Errorf("the resolved break:\n%s", got)
	}
	run(chromedp.Navigate(o.server.URL + "/search?q=" + url.QueryEscape("ana@example.com")))
	look("search")
	var asked []string
	run(chromedp.Evaluate(`performance.getEntriesByType("resource").map(e => e.name)`, &asked))
	for _, address := range asked {
		if !strings.HasPrefix(address, o.server.URL) {
			t.Errorf("the page loads %s", address)
		}
	}
	run(chromedp.Navigate(o.server.URL + "/breaks"))
	browser.Print("breaks")
	// The session ends while a form is open.
	run(chromedp.Navigate(o.server.URL+"/breaks/brk_00000009"), chromedp.WaitVisible("#note"))
	o.later(9 * time.Hour)
	run(chromedp.SendKeys("#note", "too late"), chromedp.Click(`form[action$="/work"] button`), chromedp.WaitVisible("#password"))
	if got := text(); !strings.Contains(got, "was not saved") {
		t.Errorf("after the session:\n%s", got)
	}
}
