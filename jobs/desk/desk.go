// Package desk serves the published reports, what is known of an id or a customer, and the open breaks as web pages, to people who sign in.
//
// It must never move money, change what was published, or keep or log what a page holds. What it changes is work on breaks, under the name of
// who is signed in.
package desk

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs/explain"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/pages"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// Desk answers requests. Its fields are set once.
type Desk struct {
	Store     *postgres.Store
	Published storage.Storage
	People    *People // who may sign in; nil: nobody has to, and nobody can change anything
	Zone      *time.Location
	Clock     func() time.Time
	Log       zerolog.Logger
	// MayWork: the database lets this role work on breaks.
	MayWork bool
}

//go:embed desk.gohtml desk.css
var files embed.FS

var (
	templates = template.Must(template.New("").Funcs(template.FuncMap{"words": words, "kind": func(kind string) string { return figures.KindName(reconcile.BreakKind(kind)) }, "date": dateText, "about": about, "ids": func(text string) []string { return strings.Split(text, ", ") }}).ParseFS(files, "desk.gohtml"))
	style     = pages.StyleSheet() + ownStyle()
)

func ownStyle() string {
	css, err := files.ReadFile("desk.css")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(css)
}

func words(text string) string { return strings.ReplaceAll(text, "_", " ") }

func dateText(d *reconcile.Date) string {
	if d == nil {
		return ""
	}
	return d.String()
}

// about is the address of the page about a value: a break has a page, other ids have a story. It is empty for what is no id.
func about(section, column, id string) string {
	switch {
	case id == "" || id == "-" || section == "account":
		return ""
	case section == "breaks" && column == "id":
		return "/breaks/" + url.PathEscape(id)
	case column == "id", column == "purchase_id", column == "charge_id", column == "subject_id", column == "about":
		return "/search?" + url.Values{"q": {id}}.Encode()
	}
	return ""
}

// Handler has all pages.
func (d *Desk) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", d.ready)
	mux.HandleFunc("GET /style.css", d.styleSheet)
	mux.HandleFunc("GET /sign-in", d.signInPage)
	mux.HandleFunc("POST /sign-in", d.signIn)
	mux.HandleFunc("POST /sign-out", d.signOut)
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", d.index)
	pages.Handle("GET /index.html", http.RedirectHandler("/", http.StatusSeeOther)) // where published pages lead back to
	pages.HandleFunc("GET /{folder}/{$}", d.folder)
	pages.HandleFunc("GET /{folder}", d.folder)
	pages.HandleFunc("GET /", d.nowhere)
	pages.HandleFunc("GET /search", d.search)
	pages.HandleFunc("GET /breaks", d.breaks)
	pages.HandleFunc("GET /breaks/{id}", d.showBreak)
	pages.HandleFunc("POST /breaks/{id}/work", d.workOnBreak)
	pages.HandleFunc("POST /breaks/{id}/resolve", d.resolveBreak)
	pages.HandleFunc("GET /{folder}/{file}", d.published)
	mux.Handle("/", d.signedIn(pages))
	protection := http.NewCrossOriginProtection()
	return secured(protection.Handler(mux))
}

// ready says whether the database answers.
func (d *Desk) ready(w http.ResponseWriter, r *http.Request) {
	var may bool
	if err := d.Store.Get(r.Context(), &may, "desk/may_work", nil); err != nil {
		d.Log.Warn().Err(err).Msg("desk: not ready")
		http.Error(w, "the database can't be asked", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// secured adds what every answer needs: nothing is loaded from elsewhere, framed, sniffed or kept.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

func (d *Desk) styleSheet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	io.WriteString(w, style) // who hung up needs no style
}

// view is what every page's template gets.
type view struct {
	Title, Who, Query, Section string
	SignsOut                   bool // with a button; behind a proxy it is the proxy's to sign out
	Page                       any
}

// show writes a page. It is built before the first byte leaves, so that a fault is an error page and no half a page.
func (d *Desk) show(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.Who = whoOf(r.Context())
	v.SignsOut = v.Who != "" && d.People.signsIn()
	var page strings.Builder
	if err := templates.ExecuteTemplate(&page, name, v); err != nil {
		d.Log.Error().Err(err).Str("page", name).Msg("desk: the page can't be written")
		http.Error(w, "The page can't be shown; the log of the desk says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, page.String()) // who hung up doesn't want it
}

// message is a page that says one thing.
func (d *Desk) message(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	d.show(w, r, status, "message", view{Title: title, Page: text})
}

// failed answers a request that broke: the reader learns that it did, the log why.
func (d *Desk) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody waits
	}
	status, text := http.StatusInternalServerError, "The desk's log says why."
	if errors.Is(err, postgres.ErrUnavailable) || errors.Is(err, storage.ErrUnavailable) {
		status, text = http.StatusServiceUnavailable, "Database or report storage can't be reached for now. Try again in a minute."
	}
	d.Log.Error().Err(err).Str("path", r.URL.Path).Msg("desk: request failed") // never the query: it may hold an e-mail address
	d.message(w, r, status, "This didn't work", text)
}

const nightsOnPage = 62

// indexPage is the first page.
type indexPage struct {
	Months []month
	Nights []nightLine
	Older  string
}

type month struct {
	Period string
	Nights int
	State  string
	Actor  string
	At     *time.Time
	Page   bool // it has a published page
}

type nightLine struct {
	figures.NightFigures
	StatusText, StatusClass string
}

func (d *Desk) index(w http.ResponseWriter, r *http.Request) {
	before := reconcile.Date{Year: 9999, Month: 12, Day: 31}
	if text := r.URL.Query().Get("before"); text != "" {
		var err error
		if before, err = reconcile.ParseDate(text); err != nil {
			d.message(w, r, http.StatusBadRequest, "No such page", "before= wants a date, YYYY-MM-DD.")
			return
		}
	}
	var page indexPage
	var stored []figures.NightFigure
	err := d.Store.Select(r.Context(), &stored, "desk/nights", postgres.Args{"before": before, "most": nightsOnPage})
	if err == nil {
		err = d.Store.Select(r.Context(), &page.Months, "desk/months", nil)
	}
	var nights []figures.NightFigures
	if err == nil {
		nights, err = figures.NightsOf(stored)
	}
	if err != nil {
		d.failed(w, r, fmt.Errorf("index: %w", err))
		return
	}
	for i := len(nights) - 1; i >= 0; i-- {
		text, class := figures.StatusWords(nights[i].Status, nights[i].Errors, false) // a residual is an open error
		page.Nights = append(page.Nights, nightLine{nights[i], text, class})
	}
	if len(nights) == nightsOnPage {
		page.Older = nights[0].Date.String()
	}
	d.show(w, r, http.StatusOK, "index", view{Title: "Nights and months", Section: "nights", Page: page})
}

// folderName is the newest revision of a night or a month, or one of its revisions.
var folderName = regexp.MustCompile(`^(\d{4}-\d{2}(?:-\d{2})?)(?:\.r([1-9]\d{0,6}))?$`)

// folderOf reads what a folder is of: a night's business date, or a month.
func folderOf(text string) (fmt.Stringer, error) {
	if len(text) == len("2006-01") {
		return reconcile.ParseMonth(text)
	}
	return reconcile.ParseDate(text)
}

// folder leads to the page of a night or a month.
func (d *Desk) folder(w http.ResponseWriter, r *http.Request) {
	name := folderName.FindStringSubmatch(r.PathValue("folder"))
	if name == nil {
		d.nowhere(w, r)
		return
	}
	page := "summary.html"
	if len(name[1]) == len("2006-01") {
		page = "month.html"
	}
	http.Redirect(w, r, "/"+name[0]+"/"+page, http.StatusSeeOther)
}

// nowhere answers a request for a page that doesn't exist.
func (d *Desk) nowhere(w http.ResponseWriter, r *http.Request) {
	d.message(w, r, http.StatusNotFound, "No such page", "Nights are at /YYYY-MM-DD/summary.html, months at /YYYY-MM/month.html; the first page lists them.")
}

// publishedFile is what names of published files look like.
var publishedFile = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,80}\.(csv|html|json|xlsx|hledger)$`)

// publishedPolicy lets a published page, which stands on its own, use its one style sheet and nothing else.
const publishedPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (d *Desk) published(w http.ResponseWriter, r *http.Request) {
	folder, name := folderName.FindStringSubmatch(r.PathValue("folder")), r.PathValue("file")
	if folder == nil || !publishedFile.MatchString(name) {
		d.nowhere(w, r)
		return
	}
	of, err := folderOf(folder[1])
	if err != nil {
		d.message(w, r, http.StatusNotFound, "No such night", fmt.Sprintf("%q is neither a date nor a month.", folder[1]))
		return
	}
	revision := 0
	if folder[2] != "" {
		if revision, err = strconv.Atoi(folder[2]); err != nil {
			d.failed(w, r, err)
			return
		}
	} else if latest, err := d.Published.Latest(r.Context(), of); err != nil {
		d.failed(w, r, err)
		return
	} else {
		revision = latest.Number
	}
	if revision == 0 {
		d.message(w, r, http.StatusNotFound, "No such night", fmt.Sprintf("%s is not published.", of))
		return
	}
	d.copyFile(w, r, of, revision, name)
}

func (d *Desk) copyFile(w http.ResponseWriter, r *http.Request, of fmt.Stringer, revision int, name string) {
	file, err := d.Published.Open(r.Context(), of, revision, name)
	if errors.Is(err, storage.ErrNotPublished) {
		d.message(w, r, http.StatusNotFound, "No such file", fmt.Sprintf("%s has no %s.", of, name))
		return
	}
	if err != nil {
		d.failed(w, r, err)
		return
	}
	defer file.Close() // it was only read
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) {
	case ".html":
		w.Header().Set("Content-Security-Policy", publishedPolicy)
	case ".hledger":
		kind = "text/plain; charset=utf-8"
		fallthrough
	case ".csv", ".xlsx":
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": of.String() + "-" + name}))
	}
	if kind == "" {
		kind = "application/octet-stream"
	}
	w.Header().Set("Content-Type", kind)
	if _, err := io.Copy(w, file); err != nil && r.Context().Err() == nil {
		d.Log.Warn().Err(err).Str("path", r.URL.Path).Msg("desk: the file was cut off")
		panic(http.ErrAbortHandler) // the reader must not take a part for the whole
	}
}

func (d *Desk) search(w http.ResponseWriter, r *http.Request) {
	query := strings.TrimSpace(r.URL.Query().Get("q"))
	v := view{Title: "Search", Query: query, Section: "search"}
	status := http.StatusOK
	if query != "" {
		told, err := explain.Tell(r.Context(), d.Store, d.Clock(), query)
		switch {
		case errors.Is(err, explain.ErrUnknown):
			status, v.Page = http.StatusNotFound, found{Title: "Nothing is known of it. Search for the id of a purchase, job, request, charge, refund, dispute, payout or break, an account, or an e-mail address."}
		case err != nil:
			d.failed(w, r, fmt.Errorf("search: %w", err))
			return
		default:
			page := found{Clauses: told.Clauses}
			for _, section := range told.Sections {
				page.Sections = append(page.Sections, tableOf(section))
			}
			v.Title, v.Page = told.Title, page
		}
	}
	d.show(w, r, status, "search", v)
}

// found is what a search has found.
type found struct {
	Title    string
	Sections []table
	Clauses  []reconcile.Clause
}

// table is a section as a page shows it: without columns that no row has anything in, and, where it is wide, with what is long below its row.
type table struct {
	Key, Title, Empty string
	Columns           []explain.Column
	Rows              []tableRow
}

type tableRow struct {
	Cells []explain.Cell
	Below []fact
}

type fact struct{ Key, Title, Text string }

const (
	// wide is how many columns fit beside a long one.
	wide = 6
	// long is from how many characters on a cell is long.
	long = 40
)

func tableOf(s explain.Section) table {
	t := table{Key: s.Key, Title: s.Title, Empty: s.Empty, Rows: make([]tableRow, len(s.Rows))}
	for i, column := range s.Columns {
		longest := 0
		for _, row := range s.Rows {
			longest = max(longest, len(row[i].Text))
		}
		isBelow := longest > long && len(s.Columns) > wide
		if longest > 0 && !isBelow {
			t.Columns = append(t.Columns, column)
		}
		for n, row := range s.Rows {
			switch {
			case isBelow && row[i].Text != "":
				t.Rows[n].Below = append(t.Rows[n].Below, fact{column.Key, column.Title, row[i].Text})
			case longest > 0 && !isBelow:
				t.Rows[n].Cells = append(t.Rows[n].Cells, row[i])
			}
		}
	}
	return t
}

// local is where to go after signing in: a path of the desk's, never another site.
func local(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(target, "\\\r\n") {
		return "/"
	}
	return u.RequestURI()
}

// person is who is signed in and may change something; an error page otherwise.
func (d *Desk) person(w http.ResponseWriter, r *http.Request) (string, bool) {
	who := whoOf(r.Context())
	if who == "" || !d.MayWork {
		d.message(w, r, http.StatusForbidden, "This desk only shows", "Breaks are worked on by people who are signed in, on a desk that works as reconciler_app.")
		return "", false
	}
	if _, fault := night.Person(who); fault != "" {
		d.message(w, r, http.StatusForbidden, "Your name can't be put on record", "It "+fault+".")
		return "", false
	}
	return who, true
}
