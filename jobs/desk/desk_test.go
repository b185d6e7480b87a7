package desk_test

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/crypto/bcrypt"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/desk"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// hostile are texts that would do harm where they are not written as text.
var hostile = []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'; DROP TABLE x; --`, "\u202eevil", `{{.}}`, `javascript:alert(1)`}

// office is a desk in front of a database with breaks, and a browser without scripts.
type office struct {
	testing.TB
	db     *testdb.DB
	desk   *desk.Desk
	server *httptest.Server
	passed atomic.Int64 // of time, since the morning on which the test happens
	log    bytes.Buffer
	users  string
}

func open(t testing.TB, role string) *office {
	t.Helper()
	o := &office{TB: t, db: testdb.New(t)}
	store, err := postgres.Open(postgres.Options{URL: o.db.URLOf(role)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	folder := t.TempDir()
	published, err := storage.OpenFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	night := filepath.Join(folder, "2026-03-05")
	if err := os.MkdirAll(night, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"manifest.json": `{"revision":1}`, "summary.html": "<style>p{}</style><p>the night</p>", "breaks.csv": "break_id\n"} {
		if err := os.WriteFile(filepath.Join(night, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o.users = filepath.Join(t.TempDir(), "users")
	var lines []string
	for _, name := range []string{"Ana Ruiz", "Bo Li"} {
		hash, err := bcrypt.GenerateFromPassword([]byte(name+"'s password"), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, name+":"+string(hash))
	}
	if err := os.WriteFile(o.users, []byte("# who may\n"+strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time {
		return time.Date(2026, 3, 6, 9, 0, 0, 0, time.UTC).Add(time.Duration(o.passed.Load()))
	}
	people, err := desk.ReadUsers(o.users, false, clock)
	if err != nil {
		t.Fatal(err)
	}
	o.desk = &desk.Desk{Store: store, Published: published, People: people, Zone: time.UTC, Clock: clock, Log: zerolog.New(&o.log)}
	if err := store.Get(t.Context(), &o.desk.MayWork, "desk/may_work", postgres.Args{}); err != nil {
		t.Fatal(err)
	}
	o.server = httptest.NewServer(o.desk.Handler())
	t.Cleanup(o.server.Close)
	return o
}

func (o *office) later(d time.Duration) { o.passed.Add(int64(d)) }

// fill makes open breaks, with hostile texts in every column that takes any.
func (o *office) fill(count int) {
	o.db.MustExec(`INSERT INTO reconciler.breaks (account_id, break_id, job, kind, severity, subject_type, subject_id, field, opened_on)
		SELECT 'acc_' || i || $2, 'brk_' || lpad(i::text, 8, '0'), 'match-jobs', CASE WHEN i % 2 = 0 THEN 'duplicate_debit' ELSE 'job_without_debit' END, 'error', 'job', 'job_' || i || $3, 'credits', '2026-03-01'
		FROM generate_series(1, $1) i`, count, hostile[0], hostile[1])
	o.db.MustExec(`INSERT INTO platform.accounts (id, email, status, created_at) VALUES ($1, 'ana@example.com', 'active', '2026-01-01')`, "acc_1"+hostile[0])
	o.db.MustExec(`INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, ours, theirs, variance, unit, detail, actor, recorded_at)
		SELECT b.account_id, b.break_id, b.opened_on, 1, 'opened', $1, '5', 7, 'credits', $2, 'reconciler', '2026-03-02' FROM reconciler.breaks b`, hostile[2], hostile[3]+hostile[0])
}

type browser struct {
	*office
	client *http.Client
}

func (o *office) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.Fatal(err)
	}
	return &browser{o, &http.Client{Jar: jar}}
}

func (b *browser) do(request *http.Request) (status int, page string, answer *http.Response) {
	b.Helper()
	answer, err := b.client.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer.StatusCode, string(body), answer
}

func (b *browser) get(path string) (int, string) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.server.URL+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	status, page, _ := b.do(request)
	return status, page
}

func (b *browser) post(path string, form url.Values, headers ...string) (int, string) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	status, page, _ := b.do(request)
	return status, page
}

func (b *browser) signIn(name string) {
	b.Helper()
	if status, page := b.post("/sign-in", url.Values{"name": {name}, "password": {name + "'s password"}}); status != http.StatusOK || !strings.Contains(page, "Sign out") {
		b.Fatalf("sign in: %d\n%s", status, page)
	}
}

func TestPeopleSignInAndTheirNameIsOnRecord(t *testing.T) {
	t.Parallel()
	o := open(t, "reconciler_app")
	o.fill(3)
	ana, bo := o.browser(), o.browser()
	if status, page := ana.get("/breaks?kind=duplicate_debit"); status != 200 || !strings.Contains(page, `value="/breaks?kind=duplicate_debit"`) {
		t.Fatalf("without signing in: %d\n%s", status, page)
	}
	ana.signIn("Ana Ruiz")
	bo.signIn("Bo Li")
	const path = "/breaks/brk_00000002"
	seen := func(b *browser) string {
		_, page := b.get(path)
		return regexp.MustCompile(`name="seen" value="(\d+)"`).FindStringSubmatch(page)[1]
	}
	anas, bos := seen(ana), seen(bo)
	if status, page := ana.post(path+"/work", url.Values{"seen": {anas}, "owner": {"Ana Ruiz"}, "state": {"investigating"}, "due": {"2026-03-09"}, "note": {hostile[0]}}); status != 200 || !strings.Contains(page, "Owner: Ana Ruiz. State: investigating. Until 2026-03-09.") {
		t.Fatalf("%d\n%s", status, page)
	}
	// Bo filled in his form before Ana's was saved: he sees hers, keeps his text, and overwrites nothing.
	status, page := bo.post(path+"/work", url.Values{"seen": {bos}, "owner": {"Bo Li"}, "note": {"mine"}})
	if status != http.StatusConflict || !strings.Contains(page, "Owner: Ana Ruiz") || !strings.Contains(page, ">mine</textarea>") {
		t.Fatalf("%d\n%s", status, page)
	}
	if status, page := bo.post(path+"/resolve", url.Values{"resolution": {"accepted"}, "reason": {"known"}}); status != 200 || !strings.Contains(page, "known") {
		t.Fatalf("%d\n%s", status, page)
	}
	if status, _ := ana.post(path+"/resolve", url.Values{"resolution": {"accepted"}, "reason": {"known too"}}); status != http.StatusConflict {
		t.Errorf("resolved twice: %d", status)
	}
	var actors string
	if err := o.db.Get(&actors, `SELECT string_agg(actor, ', ' ORDER BY link) FROM reconciler.audit_links`); err != nil {
		t.Fatal(err)
	}
	if actors != "Ana Ruiz, Bo Li" {
		t.Errorf("the audit log names %q", actors)
	}
	// Nothing to say, a date that is none, a reason that is missing.
	for _, bad := range []url.Values{{"seen": {"0"}}, {"seen": {"0"}, "due": {"tomorrow"}}, {"seen": {"x"}, "note": {"y"}}, {"seen": {"0"}, "owner": {"reconciler"}}} {
		if status, _ := ana.post("/breaks/brk_00000001/work", bad); status != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", bad, status)
		}
	}
	if status, _ := ana.post("/breaks/brk_00000001/resolve", url.Values{"resolution": {"accepted"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("resolved without a reason: %d", status)
	}
	o.later(9 * time.Hour)
	if status, page := ana.post("/breaks/brk_00000001/work", url.Values{"seen": {"0"}, "note": {"late"}}); status != http.StatusUnauthorized || !strings.Contains(page, "was not saved") {
		t.Errorf("after the session: %d\n%s", status, page)
	}
	ana.signIn("Ana Ruiz")
	if status, _ := ana.post("/sign-out", nil); status != 200 {
		t.Error(status)
	}
	if _, page := ana.get("/breaks"); !strings.Contains(page, `name="password"`) {
		t.Error("still signed in")
	}
}

func TestWhoMayNotGetsNothing(t *testing.T) {
	t.Parallel()
	o := open(t, "reconciler_readonly")
	o.fill(1)
	ana, stranger := o.browser(), o.browser()
	ana.signIn("Ana Ruiz")
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://elsewhere.example"}} {
		if status, _ := ana.post("/breaks/brk_00000001/work", url.Values{"seen": {"0"}, "note": {"x"}}, header...); status != http.StatusForbidden {
			t.Errorf("%v: %d", header, status)
		}
	}
	if status, page := ana.post("/breaks/brk_00000001/work", url.Values{"seen": {"0"}, "note": {"x"}}); status != http.StatusForbidden || !strings.Contains(page, "only shows") {
		t.Errorf("as reconciler_readonly: %d", status)
	}
	if _, page := ana.get("/breaks/brk_00000001"); strings.Contains(page, "<textarea") || !strings.Contains(page, "only shown") {
		t.Error("a desk that only shows has forms, or does not say that it only shows")
	}
	for i := range 7 {
		want := http.StatusUnauthorized
		if i >= 5 {
			want = http.StatusTooManyRequests
		}
		if status, _ := stranger.post("/sign-in", url.Values{"name": {"Ana Ruiz"}, "password": {fmt.Sprint(i)}}); status != want {
			t.Errorf("attempt %d: %d", i+1, status)
		}
	}
	if status, _ := stranger.post("/sign-in", url.Values{"name": {"Bo Li"}, "password": {"Bo Li's password"}}); status != 200 {
		t.Error("somebody else at the same address is kept out by a name that was wrong")
	}
	o.later(16 * time.Minute)
	o.browser().signIn("Ana Ruiz")
	for _, next := range []string{"https://elsewhere.example/", "//elsewhere.example", `/\elsewhere.example`, "javascript:alert(1)"} {
		if _, page := o.browser().get("/sign-in?next=" + url.QueryEscape(next)); !strings.Contains(page, `name="next" value="/"`) {
			t.Errorf("signing in leads to %s", next)
		}
	}
	if text := o.log.String(); strings.Contains(text, "password\":") || strings.Contains(text, "Ana Ruiz's") {
		t.Error(text)
	}
	// A name that was removed from the file can't sign in any more.
	if err := os.WriteFile(o.users, []byte("Bo Li:$2a$04$"+strings.Repeat("a", 53)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _ := o.browser().post("/sign-in", url.Values{"name": {"Ana Ruiz"}, "password": {"Ana Ruiz's password"}}); status != http.StatusUnauthorized {
		t.Error(status)
	}
}

func TestAProxyNamesWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	o := open(t, "reconciler_app")
	get := func(from string, names ...string) int {
		request := httptest.NewRequest(http.MethodGet, "/breaks", nil)
		request.RemoteAddr = from
		for _, name := range names {
			request.Header.Add("X-Forwarded-User", name)
		}
		answer := httptest.NewRecorder()
		o.desk.Handler().ServeHTTP(answer, request)
		return answer.Code
	}
	o.desk.People = desk.TrustProxies("X-Forwarded-User", []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")})
	for _, c := range []struct {
		from  string
		names []string
		want  int
	}{
		{"10.1.2.3:4", []string{"Ana Ruiz"}, 200}, {"[::ffff:10.1.2.3]:4", []string{"Ana Ruiz"}, 200}, {"10.2.2.3:4", []string{"Ana Ruiz"}, 403},
		{"10.1.2.3:4", nil, 403}, {"10.1.2.3:4", []string{"Ana Ruiz", "Bo Li"}, 403}, {"10.1.2.3:4", []string{"reconciler"}, 403}, {"10.1.2.3:4", []string{""}, 403},
	} {
		if got := get(c.from, c.names...); got != c.want {
			t.Errorf("%v: %d", c, got)
		}
	}
}

func TestPagesShowHostileTextsAsText(t *testing.T) {
	t.Parallel()
	o := open(t, "reconciler_app")
	o.fill(2)
	ana := o.browser()
	ana.signIn("Ana Ruiz")
	for _, path := range []string{"/", "/breaks?owner=" + url.QueryEscape(hostile[1]), "/breaks", "/breaks/brk_00000001", "/search?q=" + url.QueryEscape(hostile[0]), "/search?q=ANA@example.com", "/search?q=job_1" + url.QueryEscape(hostile[1]), "/breaks/" + url.PathEscape(hostile[0]),
		"/breaks?after=" + url.QueryEscape(hostile[1]), "/breaks?min_age=-1", "/?before=x", "/x/y", "/2026-03-05/nothing.csv", "/2026-13-05/breaks.csv", "/2026-03-06/breaks.csv", "/2026-03-05.r9/breaks.csv"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		status, page, answer := ana.do(request)
		if status >= 500 || strings.Contains(page, "<script") || strings.Contains(page, "<img") {
			t.Errorf("%s: %d\n%s", path, status, page)
		}
		if policy := answer.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s, %s", path, policy, answer.Header.Get("Cache-Control"))
		}
	}
	if _, page := ana.get("/search?q=ANA@example.com"); !strings.Contains(page, `<a href="/breaks/brk_00000001">`) || !strings.Contains(page, `<a href="/search?q=job_1`) {
		t.Errorf("the search of a customer leads nowhere:\n%s", page)
	}
	if status, page := ana.get("/2026-03-05/summary.html"); status != 200 || !strings.Contains(page, "the night") {
		t.Errorf("%d %s", status, page)
	}
	if status, _ := ana.get("/2026-03-05/..%2f..%2fusers"); status != 404 {
		t.Error(status)
	}
	if text := o.log.String(); strings.Contains(text, "script") {
		t.Error(text)
	}
}

// listed are the breaks of a list, on all its pages.
func (b *browser) listed(path string) (ids []string) {
	b.Helper()
	link := regexp.MustCompile(`href="(/breaks\?[^"]*after=[^"]*)"`)
	for pages := 0; path != ""; pages++ {
		if pages > 5 {
			b.Fatal("pages without end")
		}
		status, page := b.get(html.UnescapeString(path))
		if status != http.StatusOK {
			b.Fatalf("%s: %d\n%s", path, status, page)
		}
		for _, id := range regexp.MustCompile(`/breaks/(brk_\d+)`).FindAllStringSubmatch(page, -1) {
			if slices.Contains(ids, id[1]) {
				b.Errorf("%s is there twice", id[1])
			}
			ids = append(ids, id[1])
		}
		path = ""
		if m := link.FindStringSubmatch(page); m != nil {
			path = m[1]
		}
	}
	return ids
}

func TestPagesOfBreaksAreAllOfThem(t *testing.T) {
	t.Parallel()
	o := open(t, "reconciler_app")
	o.fill(250)
	ana := o.browser()
	ana.signIn("Ana Ruiz")
	found := ana.listed("/breaks?severity=error&min_age=5")
	if len(found) != 250 {
		t.Errorf("%d breaks on all pages", len(found))
	}
	if _, page := ana.get("/breaks?kind=job_without_debit&account=acc_1" + url.QueryEscape(hostile[0])); strings.Count(page, "<tr>") != 2 {
		t.Errorf("filtered:\n%s", page)
	}
	if _, page := ana.get("/breaks?severity=info"); !strings.Contains(page, "No open break is like that") {
		t.Errorf("filtered:\n%s", page)
	}
}

// A filter lets the same breaks through on all pages of the desk and in breaks list: as was said of them last, due through the day, overdue the day
// after.
func TestAFilterMeansTheSameOnEveryList(t *testing.T) {
	t.Parallel()
	o := open(t, "reconciler_app")
	o.fill(250)
	say := func(no, from, to int, owner, state, due string) {
		t.Helper()
		o.db.MustExec(`INSERT INTO reconciler.break_work (account_id, break_id, work_no, actor, owner, state, due_on, note, at)
			SELECT account_id, break_id, $1, 'Bo Li', nullif($4, ''), nullif($5, ''), nullif($6, '')::date, '', '2026-03-05'
			FROM reconciler.breaks WHERE substr(break_id, 5)::int BETWEEN $2 AND $3`, no, from, to, owner, state, due)
	}
	say(1, 1, 120, "Ana Ruiz", "investigating", "2026-03-05")
	say(2, 1, 1, "", "open", "")
	say(2, 2, 2, "", "", "2026-03-20")
	say(2, 3, 3, "Bo Li", "", "")
	say(1, 121, 130, "", "", "2026-03-06")
	ana := o.browser()
	ana.signIn("Ana Ruiz")
	for _, c := range []struct {
		address string
		filter  jobs.BreakFilter
		want    int
	}{
		{"", jobs.BreakFilter{}, 250},
		{"state=investigating", jobs.BreakFilter{State: "investigating"}, 119},
		{"state=open", jobs.BreakFilter{State: "open"}, 131},
		{"overdue=1", jobs.BreakFilter{Overdue: true}, 119},
		{"due=2026-03-04", jobs.BreakFilter{Due: "2026-03-04"}, 0},
		{"due=2026-03-05", jobs.BreakFilter{Due: "2026-03-05"}, 119},
		{"due=2026-03-06", jobs.BreakFilter{Due: "2026-03-06"}, 129},
		{"due=2026-03-20", jobs.BreakFilter{Due: "2026-03-20"}, 130},
		{"due=2026-03-20&overdue=1&state=investigating", jobs.BreakFilter{Due: "2026-03-20", Overdue: true, State: "investigating"}, 118},
		{"state=investigating&owner=Ana+Ruiz", jobs.BreakFilter{State: "investigating", Owner: "Ana Ruiz"}, 118},
		{"owner=Bo+Li&kind=&severity=&state=&due=", jobs.BreakFilter{Owner: "Bo Li"}, 1},
		{"unowned=1&state=open", jobs.BreakFilter{Unowned: true, State: "open"}, 130},
		{"min_age=6", jobs.BreakFilter{MinAge: 6}, 0},
		{"kind=duplicate_debit&overdue=1", jobs.BreakFilter{Kind: "duplicate_debit", Overdue: true}, 59},
	} {
		args := c.filter.Args(reconcile.Date{Year: 2026, Month: 3, Day: 6})
		args["all"], args["break_id"] = false, ""
		var lines []struct {
			BreakID                                                                           string `db:"break_id"`
			AccountID                                                                         any    `db:"account_id"`
			SubjectType                                                                       any    `db:"subject_type"`
			SubjectID                                                                         any    `db:"subject_id"`
			OpenedOn                                                                          any    `db:"opened_on"`
			ClosedOn                                                                          any    `db:"closed_on"`
			AgeDays                                                                           any    `db:"age_days"`
			WorkState                                                                         any    `db:"work_state"`
			DueOn                                                                             any    `db:"due_on"`
			Kind, Severity, Status, Field, Ours, Theirs, Variance, Unit, Detail, Owner, Notes any
		}
		if err := o.desk.Store.Select(t.Context(), &lines, "breaks/list", args); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, line := range lines {
			want = append(want, line.BreakID)
		}
		if got := ana.listed("/breaks?" + c.address); len(got) != c.want || !slices.Equal(got, want) {
			t.Errorf("%s: the desk lists %d breaks, breaks list %d, of %d", c.address, len(got), len(want), c.want)
		}
	}
}

func TestAFilterThatMeansNothingIsSaidToBeWrong(t *testing.T) {
	t.Parallel()
	o := open(t, "reconciler_app")
	o.fill(1)
	ana := o.browser()
	ana.signIn("Ana Ruiz")
	for address, want := range map[string]string{
		"state=closed": "state &#34;closed&#34; is none of open, investigating", "due=tomorrow": "due &#34;tomorrow&#34; is no date, YYYY-MM-DD", "due=2026-02-30": "is no date",
		"kind=x": "is no kind of break", "severity=x": "is none of", "min_age=-1": "min age -1 is no number of days from 0", "min_age=x": "is no whole number",
		"min_age=99999999999999999999": "is no whole number", "unowned=1&owner=Ana": "unowned excludes an owner", "owner=%00": "owner &#34;\\x00&#34; is no text", "account=%ff": "is no text",
		"state=" + url.QueryEscape(hostile[0]) + "&due=" + url.QueryEscape(hostile[1]): "due &#34;",
	} {
		status, page := ana.get("/breaks?" + address)
		if status != http.StatusUnprocessableEntity || !strings.Contains(page, want) || !strings.Contains(page, `role="alert"`) || !strings.Contains(page, `id="severity"`) ||
			strings.Contains(page, "brk_") || strings.Contains(page, "No open break") || strings.Contains(page, "<script") || strings.Contains(page, "<img") {
			t.Errorf("%s: %d\n%s", address, status, page)
		}
	}
	for _, path := range []string{"/search?q=%00", "/search?q=%ff", "/breaks/%00", "/breaks/%ff", "/breaks?after=2026-03-01_%00"} {
		if status, page := ana.get(path); status >= 500 {
			t.Errorf("%s: %d\n%s", path, status, page)
		}
	}
}

// BenchmarkDesk serves pages at 1,000 nights, 100,000 open breaks, 100,000 accounts, 200,000 purchases with their charges and 300,000 jobs. live-KiB
// is what the memory in use has grown by after all requests.
func BenchmarkDesk(b *testing.B) {
	o := open(b, "reconciler_readonly")
	o.desk.People = nil
	o.fill(100_000)
	o.db.MustExec(`INSERT INTO reconciler.publications (business_date, revision, as_of, manifest_sha256, location, published_at)
		SELECT date '2026-03-05' - i, 1, '2026-03-06', '', '', '2026-03-06' FROM generate_series(0, 999) i`)
	o.db.MustExec(`INSERT INTO reconciler.night_figures (business_date, measure, unit, value)
		SELECT date '2026-03-05' - i, m, '', 1 FROM generate_series(0, 999) i, unnest(ARRAY['errors', 'warnings', 'new_breaks', 'failed_jobs', 'credited', 'undecided', 'overdue']) m`)
	o.db.MustExec(`INSERT INTO platform.accounts (id, email, status, created_at) SELECT 'acc_' || i, 'person' || i || '@example.com', 'active', '2026-01-01' FROM generate_series(1, 100000) i`)
	o.db.MustExec(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_charge_id, stripe_payment_intent_id, created_at, completed_at)
		SELECT 'pur_' || i, 'acc_' || i % 100000 + 1, 'credits', 500, 4900, 'usd', 'completed', 'ch_' || i, 'pi_' || i, '2026-02-01', '2026-02-01' FROM generate_series(1, 200000) i`)
	o.db.MustExec(`INSERT INTO platform.jobs (id, account_id, kind, model, status, credit_cost, created_at, finished_at)
		SELECT 'job_' || i, 'acc_' || i % 100000 + 1, 'image', 'm', 'succeeded', 5, '2026-02-02', '2026-02-02' FROM generate_series(1, 300000) i`)
	o.db.MustExec(`INSERT INTO platform.credit_entries (id, account_id, kind, credits, purchase_id, job_id, created_at)
		SELECT 'ent_p' || i, 'acc_' || i % 100000 + 1, 'purchase', 500, 'pur_' || i, NULL, timestamptz '2026-02-01' FROM generate_series(1, 200000) i
		UNION ALL SELECT 'ent_j' || i, 'acc_' || i % 100000 + 1, 'usage', -5, NULL, 'job_' || i, timestamptz '2026-02-02' FROM generate_series(1, 300000) i`)
	o.db.MustExec(`INSERT INTO reconciler.stripe_charges (id, payment_intent_id, invoice_id, customer_id, metadata_purchase_id, method, amount_minor, captured_minor, currency, status, captured, failure_code,
			balance_transaction_id, failure_balance_transaction_id, created_at, seen_at)
		SELECT 'ch_' || i, 'pi_' || i, '', '', 'pur_' || i, 'card', 4900, 4900, 'usd', 'succeeded', true, '', 'txn_' || i, '', '2026-02-01', '2026-03-01' FROM generate_series(1, 200000) i`)
	o.db.MustExec(`INSERT INTO reconciler.stripe_balance_transactions (id, type, reporting_category, amount_minor, fee_minor, fee_tax_minor, net_minor, currency, status, source_id, created_at, available_on, seen_at)
		SELECT 'txn_' || i, 'charge', 'charge', 4900, 172, 0, 4728, 'usd', 'available', 'ch_' || i, '2026-02-01', '2026-02-03', '2026-03-01' FROM generate_series(1, 200000) i`)
	o.db.MustExec("ANALYZE")
	for name, path := range map[string]string{
		"index": "/", "breaks": "/breaks", "breaks of an owner": "/breaks?owner=Ana", "break": "/breaks/brk_00000777", "last page": "/breaks?after=2026-03-01_brk_00099900",
		"search of an address": "/search?q=Person777@example.com", "search of an account": "/search?q=acc_777", "search of a purchase": "/search?q=pur_777", "search of a charge": "/search?q=ch_777",
		"search of a job": "/search?q=job_777", "search of a break": "/search?q=brk_00000777", "search of nothing": "/search?q=nobody@example.com",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := live()
			for b.Loop() {
				answer := httptest.NewRecorder()
				o.desk.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
				if answer.Code != http.StatusOK && name != "search of nothing" {
					b.Fatal(answer.Body)
				}
			}
			b.ReportMetric(float64(live()-before)/1024, "live-KiB")
		})
	}
}

// live is how much memory is in use once all garbage is gone.
func live() int64 {
	var now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&now)
	return int64(now.HeapAlloc)
}

// Published pages lead back to index.html, and people shorten addresses: neither ends in a page that says nothing.
func TestAddressesOfFoldersLeadToTheirPage(t *testing.T) {
	o := open(t, "reconciler_readonly")
	o.desk.People = nil
	for path, want := range map[string]string{"/index.html": "/", "/2026-03-05": "/2026-03-05/summary.html", "/2026-03-05/": "/2026-03-05/summary.html", "/2026-03": "/2026-03/month.html",
		"/2026-03.r2/": "/2026-03.r2/month.html", "/2026-03-05.r1": "/2026-03-05.r1/summary.html"} {
		answer := httptest.NewRecorder()
		o.desk.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != want {
			t.Errorf("%s: %d to %q, want %s", path, answer.Code, answer.Header().Get("Location"), want)
		}
	}
	for _, path := range []string{"/nonsense", "/nonsense/", "/a/b/c", "/2026-3"} {
		answer := httptest.NewRecorder()
		o.desk.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if answer.Code != http.StatusNotFound || !strings.Contains(answer.Body.String(), "No such page") {
			t.Errorf("%s: %d %s", path, answer.Code, answer.Body)
		}
	}
}

// Money that no purchase accounts for has nobody on the platform: its break says all that Stripe knows of who paid.
func TestABreakAboutAChargeSaysWhoPaid(t *testing.T) {
	o := open(t, "reconciler_readonly")
	o.desk.People = nil
	o.db.MustExec(`INSERT INTO reconciler.stripe_charges (id, payment_intent_id, invoice_id, customer_id, metadata_purchase_id, method, amount_minor, captured_minor, currency, status, captured, failure_code,
		balance_transaction_id, failure_balance_transaction_id, created_at, seen_at, email, metadata)
		VALUES ('ch_1', 'pi_1', '', 'cus_1', '', 'card', 4900, 4900, 'usd', 'succeeded', true, '', 'txn_1', '', '2026-03-01', '2026-03-01', 'kim@example.org', '{"order": "A-17<b>"}')`)
	o.db.MustExec(`INSERT INTO reconciler.breaks (account_id, break_id, job, kind, severity, subject_type, subject_id, field, opened_on)
		VALUES ('', 'brk_1', 'match-purchases', 'charge_missing_in_platform', 'error', 'charge', 'ch_1', 'purchase', '2026-03-01')`)
	o.db.MustExec(`INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, ours, theirs, variance, unit, detail, actor, recorded_at)
		VALUES ('', 'brk_1', '2026-03-01', 1, 'opened', '', 'ch_1', -4900, 'usd', '', 'reconciler', '2026-03-02')`)
	for path, wants := range map[string][]string{
		"/breaks/brk_1":             {"kim@example.org", "pi_1", "cus_1", "order A-17&lt;b&gt;", "49.00 USD"},
		"/search?q=Kim@example.org": {"No account has this e-mail address", "ch_1", "order A-17&lt;b&gt;"},
	} {
		answer := httptest.NewRecorder()
		o.desk.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		for _, want := range wants {
			if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), want) {
				t.Errorf("%s: %d without %q: %s", path, answer.Code, want, answer.Body)
			}
		}
	}
}
