package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/explain"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

// breaksOnPage is how many breaks a page has.
const breaksOnPage = 100

// breakLine is an open break in a list.
type breakLine struct {
	BreakID     string
	Kind        string
	Severity    string
	AccountID   string
	SubjectType string
	SubjectID   string
	Variance    numbers.Number
	Unit        string
	OpenedOn    reconcile.Date
	AgeDays     int
	Owner       string
	WorkState   string
	DueOn       *reconcile.Date
	Notes       int
}

// Amount is the variance as people read it.
func (b breakLine) Amount() string { return b.Variance.Difference(b.Unit) }

// breaksPage is a page of open breaks.
type breaksPage struct {
	Filter                    jobs.BreakFilter
	MinAge                    string // as it was typed
	Kinds, Severities, States []string
	Breaks                    []breakLine
	Next                      string
	Fault                     string
}

func (d *Desk) today() reconcile.Date { return reconcile.DateOf(d.Clock().In(d.Zone)) }

// filterOf reads the filter of an address, and says what of it is wrong.
func filterOf(query url.Values) (filter jobs.BreakFilter, fault string) {
	text := func(field string) string { return strings.TrimSpace(query.Get(field)) }
	filter = jobs.BreakFilter{
		Kind: text("kind"), Severity: text("severity"), Account: text("account"), Subject: text("subject"), Owner: text("owner"), Unowned: text("unowned") != "",
		State: text("state"), Due: text("due"), Overdue: text("overdue") != "",
	}
	faults := filter.Faults()
	if age := text("min_age"); age != "" {
		days, err := strconv.Atoi(age)
		filter.MinAge = days
		if faults = filter.Faults(); err != nil {
			faults["min_age"] = fmt.Sprintf("%q is no whole number of days", age)
		}
	}
	var texts []string
	for _, field := range slices.Sorted(maps.Keys(faults)) {
		texts = append(texts, words(field)+" "+faults[field])
	}
	return filter, strings.Join(texts, "; ")
}

func (d *Desk) breaks(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	filter, fault := filterOf(query)
	page := breaksPage{Filter: filter, MinAge: strings.TrimSpace(query.Get("min_age")), States: jobs.WorkStates,
		Severities: []string{string(reconcile.Error), string(reconcile.Warning), string(reconcile.Info)}}
	for _, kind := range reconcile.BreakKinds() {
		page.Kinds = append(page.Kinds, string(kind))
	}
	if fault != "" {
		page.Fault = "Nothing is listed: " + fault + "."
		d.show(w, r, http.StatusUnprocessableEntity, "breaks", view{Title: "Open breaks", Section: "breaks", Page: page})
		return
	}
	afterDate, afterID := reconcile.Date{Year: 1, Month: 1, Day: 1}, ""
	if after := query.Get("after"); after != "" {
		date, id, _ := strings.Cut(after, "_")
		if day, err := reconcile.ParseDate(date); err != nil || !jobs.IsBreakID(id) {
			page.Fault = "The link to this page is damaged; this is the first page."
		} else {
			afterDate, afterID = day, id
		}
	}
	args := filter.Args(d.today())
	args["after_date"], args["after_id"], args["most"] = afterDate, afterID, breaksOnPage+1
	if err := d.Store.Select(r.Context(), &page.Breaks, "desk/breaks", args); err != nil {
		d.failed(w, r, fmt.Errorf("breaks: %w", err))
		return
	}
	if len(page.Breaks) > breaksOnPage {
		page.Breaks = page.Breaks[:breaksOnPage]
		last := page.Breaks[breaksOnPage-1]
		query.Set("after", last.OpenedOn.String()+"_"+last.BreakID)
		page.Next = "/breaks?" + query.Encode()
	}
	d.show(w, r, http.StatusOK, "breaks", view{Title: "Open breaks", Section: "breaks", Page: page})
}

// fullBreak is a break with all that is known of it.
type fullBreak struct {
	breakLine
	Status, Field, Ours, Theirs, Detail string
	Worked                              int // how often somebody has worked on it: a form tells by it whether anything was done meanwhile
}

type workLine struct {
	At                        time.Time
	Actor, Owner, State, Note string
	DueOn                     *reconcile.Date
}

// When is the instant as people read it.
func (w workLine) When() string { return w.At.UTC().Format("2006-01-02 15:04 UTC") }

type historyLine struct {
	BusinessDate                                   reconcile.Date
	Event, Unit, Detail, Actor, Resolution, Reason string
}

// DetailText is the detail as people read it.
func (h historyLine) DetailText() string {
	return numbers.InDetail(terminal.WithAmounts(h.Detail), h.Unit)
}

// breakPage is a break, with the forms for work on it.
type breakPage struct {
	B               fullBreak
	Name            string
	Meaning, Action string
	Ours, Theirs    string
	Detail          string
	Paid            []fact // all that is known of who paid the charge that it is about
	Work            []workLine
	History         []historyLine
	MayWork         bool
	States          []string
	Resolutions     []string
	Form            url.Values
	Fault           string
}

// whoPaid is what is known of who paid a charge; nothing where the break is about none.
func (d *Desk) whoPaid(ctx context.Context, b fullBreak) (facts []fact, err error) {
	if b.SubjectType != "charge" {
		return nil, nil
	}
	paid, err := explain.WhoPaid(ctx, d.Store, []string{b.SubjectID})
	if err != nil || len(paid.Rows) == 0 {
		return nil, err
	}
	for i, cell := range paid.Rows[0] {
		if cell.Text != "" {
			facts = append(facts, fact{paid.Columns[i].Key, paid.Columns[i].Title, cell.Text})
		}
	}
	return facts, nil
}

func (d *Desk) showBreak(w http.ResponseWriter, r *http.Request) {
	d.breakWith(w, r, http.StatusOK, nil, "")
}

// breakWith shows a break, with what was typed into its form before and why that was not done.
func (d *Desk) breakWith(w http.ResponseWriter, r *http.Request, status int, form url.Values, fault string) {
	id := r.PathValue("id")
	var found []fullBreak
	if jobs.IsBreakID(id) {
		if err := d.Store.Select(r.Context(), &found, "desk/break", postgres.Args{"break_id": id, "today": d.today()}); err != nil {
			d.failed(w, r, fmt.Errorf("break: %w", err))
			return
		}
	}
	if len(found) == 0 {
		d.message(w, r, http.StatusNotFound, "No such break", "No break has this id.")
		return
	}
	b := found[0]
	rule, _ := reconcile.BreakKind(b.Kind).Rule()
	page := breakPage{B: b, Name: figures.KindName(reconcile.BreakKind(b.Kind)), Meaning: rule.Meaning, Action: rule.Action, Ours: numbers.AmountOrText(b.Ours, b.Unit), Theirs: numbers.AmountOrText(b.Theirs, b.Unit),
		Detail: numbers.InDetail(terminal.OneLine(b.Detail), b.Unit), States: jobs.WorkStates, Resolutions: jobs.Resolutions, Form: form, Fault: fault,
		MayWork: d.MayWork && whoOf(r.Context()) != "" && b.Status == "open"}
	err := d.Store.Select(r.Context(), &page.Work, "breaks/work", postgres.Args{"break_id": id})
	if err == nil {
		err = d.Store.Select(r.Context(), &page.History, "breaks/history", postgres.Args{"break_id": id})
	}
	if err == nil {
		page.Paid, err = d.whoPaid(r.Context(), b)
	}
	if err != nil {
		d.failed(w, r, fmt.Errorf("break: %w", err))
		return
	}
	d.show(w, r, status, "break", view{Title: figures.KindName(reconcile.BreakKind(b.Kind)) + ": " + b.SubjectID, Section: "breaks", Page: page})
}

const formBytes = 64 << 10

// form reads what was posted.
func (d *Desk) form(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	if err := r.ParseForm(); err != nil {
		d.message(w, r, http.StatusBadRequest, "The form can't be read", "It is too long, or damaged.")
		return nil, false
	}
	return r.PostForm, true
}

func (d *Desk) workOnBreak(w http.ResponseWriter, r *http.Request) {
	who, ok := d.person(w, r)
	if !ok {
		return
	}
	form, ok := d.form(w, r)
	if !ok {
		return
	}
	work := jobs.BreakWork{BreakID: r.PathValue("id"), Actor: who, Owner: strings.TrimSpace(form.Get("owner")), State: form.Get("state"), Note: strings.TrimSpace(form.Get("note"))}
	var faults []string
	seen, err := strconv.Atoi(form.Get("seen"))
	if err != nil {
		faults = append(faults, "the form is damaged; load the page again")
	}
	work.Seen = &seen
	if due := strings.TrimSpace(form.Get("due")); due != "" {
		if work.DueOn, err = reconcile.ParseDate(due); err != nil {
			faults = append(faults, "the due date is no date: YYYY-MM-DD")
		}
	}
	if work.Owner != "" {
		if _, fault := night.Person(work.Owner); fault != "" {
			faults = append(faults, "the owner's name "+fault)
		}
	}
	for _, fault := range work.Faults() {
		faults = append(faults, fault)
	}
	if work.Owner == "" && work.State == "" && work.Note == "" && work.DueOn.IsZero() {
		faults = append(faults, "nothing was filled in")
	}
	if len(faults) > 0 {
		d.breakWith(w, r, http.StatusUnprocessableEntity, form, strings.Join(faults, "; ")+".")
		return
	}
	d.done(w, r, form, jobs.WorkOnBreak(r.Context(), d.Store, d.Clock(), work))
}

func (d *Desk) resolveBreak(w http.ResponseWriter, r *http.Request) {
	who, ok := d.person(w, r)
	if !ok {
		return
	}
	form, ok := d.form(w, r)
	if !ok {
		return
	}
	resolution := jobs.Resolution{BreakID: r.PathValue("id"), Resolution: form.Get("resolution"), Reason: strings.TrimSpace(form.Get("reason")), Actor: who}
	if faults := resolution.Faults(); len(faults) > 0 {
		var texts []string
		for _, field := range []string{"break_id", "resolution", "reason", "actor"} {
			if fault := faults[field]; fault != "" {
				texts = append(texts, words(field)+" "+fault)
			}
		}
		d.breakWith(w, r, http.StatusUnprocessableEntity, form, strings.Join(texts, "; ")+".")
		return
	}
	d.done(w, r, form, jobs.ResolveBreaks(r.Context(), d.Store, d.Clock(), []jobs.Resolution{resolution}))
}

// done leads back to the break once something was done to it. Where somebody else has worked on it meanwhile nothing was done: the page then shows
// that, with what was typed.
func (d *Desk) done(w http.ResponseWriter, r *http.Request, form url.Values, err error) {
	switch {
	case errors.Is(err, jobs.ErrChanged):
		d.breakWith(w, r, http.StatusConflict, form, "Somebody else has worked on this break since you opened the page: it is below. What you typed is still here; nothing of it was saved.")
	case errors.Is(err, jobs.ErrNotOpen):
		d.breakWith(w, r, http.StatusConflict, form, "This break is no longer open: nothing was saved.")
	case err != nil:
		d.failed(w, r, err)
	default:
		http.Redirect(w, r, "/breaks/"+url.PathEscape(r.PathValue("id")), http.StatusSeeOther)
	}
}
