package month

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/journal"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/hummingbytes/reconciler/reports/workbook"
)

// The files of a month beside manifest.json.
const (
	PageName         = "month.html"
	WorkbookName     = "month.xlsx"
	SignOffName      = "sign_off.json"
	TrialBalanceName = "trial_balance.csv"
	OpenItemsName    = "open_items.csv"
)

// Prepared is a month's files, built but not published. Publish or Discard ends its life.
type Prepared struct {
	storage storage.Storage
	files   *reports.Files
	input   *Input
	Latest  storage.Revision // the newest that is published
	// Differs names the files that are not what the newest revision has.
	Differs []string
	// Manifest and ManifestSHA256 are of the newest revision where nothing differs, else of the one to be published.
	Manifest       Manifest
	ManifestSHA256 string
}

// Prepare builds a month's files in a staged folder: as its newest revision has them, or where that would differ, as the next one.
func Prepare(ctx context.Context, st storage.Storage, in *Input) (p *Prepared, err error) {
	dir, err := st.Stage(ctx, in.Month)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("reports of %s: %w", in.Month, err), st.Discard(dir))
		}
	}()
	p = &Prepared{storage: st, files: reports.NewFiles(dir), input: in}
	if p.Latest, err = st.Latest(ctx, in.Month); err != nil {
		return nil, err
	}
	if err = p.write(ctx); err != nil {
		return nil, err
	}
	return p, p.compare(ctx)
}

// compare takes the newest revision where the files are the same, else makes the next.
func (p *Prepared) compare(ctx context.Context) error {
	number := p.Latest.Number
	var there Manifest
	if number > 0 {
		if err := json.Unmarshal(p.Latest.Manifest, &there); err != nil {
			return fmt.Errorf("%s of revision %d: %w", storage.ManifestName, number, err)
		}
	}
	raw, err := p.finish(ctx, max(1, number))
	if err != nil {
		return err
	}
	if number > 0 && string(raw) == string(p.Latest.Manifest) {
		p.ManifestSHA256 = reports.ManifestHash(raw)
		return nil
	}
	p.Differs = there.differences(p.Manifest)
	if number > 0 {
		if raw, err = p.finish(ctx, number+1); err != nil {
			return err
		}
	}
	p.ManifestSHA256 = reports.ManifestHash(raw)
	return os.WriteFile(filepath.Join(p.files.Dir(), storage.ManifestName), raw, 0o666)
}

// Revision is what Publish makes, or the newest where that is the same.
func (p *Prepared) Revision() int { return p.Manifest.Revision }

// Same says whether the newest revision has the same files.
func (p *Prepared) Same() bool { return p.Latest.Number == p.Manifest.Revision }

// Discard removes the staged folder. After Publish there is nothing left to remove, which is no error.
func (p *Prepared) Discard() error { return p.storage.Discard(p.files.Dir()) }

// Publish publishes the month where it differs from its newest revision. Run again after a crash anywhere, it ends with the same bytes.
func (p *Prepared) Publish(ctx context.Context) error {
	if p.Same() {
		return p.Discard()
	}
	return errors.Join(p.storage.Publish(ctx, p.input.Month, p.Revision(), p.files.Dir()), p.Discard())
}

// write writes every file that doesn't name the revision.
func (p *Prepared) write(ctx context.Context) error {
	in, f := p.input, p.files
	if err := f.Workbook(WorkbookName, "Month "+in.Month.String(), time.Date(in.Through.Year, in.Through.Month, in.Through.Day, 0, 0, 0, 0, time.UTC), func() error { return p.tables(ctx) }, p.front); err != nil {
		return err
	}
	if err := f.WriteJSON(SignOffName, in.SignOff); err != nil {
		return err
	}
	return f.Write("journal.hledger", func(out io.Writer) error { return journal.WriteHledger(ctx, out, in.Ledger()) })
}

// tables writes every table, in the order of the workbook's sheets.
func (p *Prepared) tables(ctx context.Context) error {
	in, f := p.input, p.files
	return errors.Join(
		write(ctx, f, "roll_forward.csv", "RollForward", in.RollForward),
		write(ctx, f, "", "StripeCash", in.Cash),
		write(ctx, f, "", "StripeActivity", in.Activity),
		write(ctx, f, TrialBalanceName, "TrialBalance", in.Trial),
		write(ctx, f, OpenItemsName, "OpenItems", in.Items),
		write(ctx, f, "", "Proofs", in.Proofs),
		write(ctx, f, "breaks.csv", "OpenBreaks", in.Breaks),
		write(ctx, f, "", "Refunds", in.Refunds),
		write(ctx, f, "", "Disputes", in.Disputes),
		write(ctx, f, "", "LateItems", in.Late),
		write(ctx, f, "revenue_waterfall.csv", "RevenueWaterfall", in.Waterfall),
		write(ctx, f, "", "IncomeStatement", in.Income),
		write(ctx, f, "", "Nights", nightRows(in)),
		reports.WriteTable(ctx, f, "journal.csv", "Journal", in.Journal, func(JournalLine) {}),
	)
}

func write[T any](ctx context.Context, f *reports.Files, file, sheet string, rows []T) error {
	return reports.WriteTable(ctx, f, file, sheet, tables.Of(rows...), func(T) {})
}

// nightLine is a night as the workbook lists it.
type nightLine struct {
	BusinessDate string `db:"business_date"`
	Status       string `db:"status"`
	Revision     int64  `db:"revision"`
	Manifest     string `db:"manifest_sha256"`
}

func nightRows(in *Input) (rows []nightLine) {
	for _, n := range in.Nights {
		rows = append(rows, nightLine{n.BusinessDate.String(), string(n.Status), int64(n.Revision), n.ManifestSHA256})
	}
	for _, d := range in.Missing {
		rows = append(rows, nightLine{BusinessDate: d.String(), Status: "missing"})
	}
	return rows
}

// finish writes what names the revision, and says what its manifest is.
func (p *Prepared) finish(ctx context.Context, revision int) ([]byte, error) {
	var baseline Published
	if revision > 1 {
		var err error
		if baseline, err = p.input.Baseline(ctx, revision-1); err != nil {
			return nil, err
		}
	}
	page := p.input.page(revision, baseline)
	page.Files = entries(p.files.Entries(), PageName) // it can't know its own size
	if err := p.files.Write(PageName, func(out io.Writer) error { return pageTemplate.Execute(out, page) }); err != nil {
		return nil, err
	}
	in := p.input
	p.Manifest = Manifest{Schema: 1, Period: in.Month.String(), State: in.SignOff.State, Revision: revision, CodeVersion: in.CodeVersion, TimeZone: in.TimeZone,
		Proofs: orEmpty(in.Proofs), Files: entries(p.files.Entries(), ""), Nights: orEmpty(in.Nights), Missing: orEmpty(in.Missing)}
	raw, err := json.MarshalIndent(p.Manifest, "", "  ")
	return append(raw, '\n'), err
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// entries are files by name, without one of them.
func entries(files []tables.FileEntry, without string) (list []tables.FileEntry) {
	for _, f := range files {
		if f.Name != without {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b tables.FileEntry) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// differences names the files that aren't the same in two manifests, and manifest.json where it differs in itself.
func (m Manifest) differences(other Manifest) []string {
	names := reports.DifferentFiles(m.Files, other.Files)
	a, b := m, other
	a.Files, b.Files, a.Revision, b.Revision = nil, nil, 0, 0
	rawA, _ := json.Marshal(a)
	rawB, _ := json.Marshal(b)
	if string(rawA) != string(rawB) {
		names = append(names, storage.ManifestName)
	}
	slices.Sort(names)
	return names
}

// front is the workbook's first sheet.
func (p *Prepared) front(f *workbook.Front) {
	in := p.input
	f.Title("Month of " + monthName(in.Month))
	f.Text("State", in.stateText(), in.SignOff.State == StateDraft)
	for _, fault := range in.Faults() {
		f.Text("", sentence(fault), true)
	}
	f.Text("In short", in.headline(), false)
	f.Text("Nights", fmt.Sprintf("%d, through %s; business dates in %s", len(in.Nights), in.Through, in.TimeZone), false)
	f.Text("Amounts", "in the currency's own decimals, as in month.html; the CSV files have minor units. Debits are above 0.", false)
	f.Heading("What customers are owed", "Opening", "Closing", "Counted again", "Difference")
	for _, r := range in.RollForward {
		f.Figures(measureText(r.Measure), !r.Difference.IsZero(), amount(r.Opening, r.Measure), amount(r.Closing, r.Measure), amount(r.ClosingFromLots, r.Measure), amount(r.Difference, r.Measure))
	}
	f.Heading("Cash at Stripe", "Opening", "Activity", "Payouts", "Closing", "To Stripe's figure")
	for _, c := range in.Cash {
		f.Figures(strings.ToUpper(c.Currency), !c.ResidualMinor.IsZero(), amount(c.OpeningMinor, c.Currency), amount(c.ActivityMinor, c.Currency), amount(c.PayoutsMinor, c.Currency),
			amount(c.ClosingMinor, c.Currency), amount(c.ResidualMinor, c.Currency))
	}
	f.Heading("What balances consist of", "Items", "Add up to", "Balance", "Oldest, days")
	for _, g := range in.groups() {
		f.Figures(g.Account, g.Sum != g.Closing, workbook.FrontAmount{Value: numbers.Int(int64(len(g.Items)))}, amount(g.Sum, g.Currency), amount(g.Closing, g.Currency), workbook.FrontAmount{Value: numbers.Int(g.Oldest)})
	}
	f.Heading("Worked out twice", "One", "Other", "Difference")
	for _, proof := range in.Proofs {
		f.Figures(proof.What+", "+measureText(proof.Unit), !proof.Difference.IsZero(), amount(proof.One, proof.Unit), amount(proof.Other, proof.Unit), amount(proof.Difference, proof.Unit))
	}
	f.Heading("Income and expenses", "Month", "Year to date")
	for _, i := range in.Income {
		label := i.Account
		if i.IsTotal {
			label += ", " + measureText(i.Currency) // an account's name has its own
		}
		f.Figures(label, false, amount(i.Month, i.Currency), amount(i.Year, i.Currency))
	}
	if len(in.SignOff.Accepted) > 0 {
		f.Heading("Open errors that were accepted")
		for _, a := range in.SignOff.Accepted {
			f.Text(a.BreakID, fmt.Sprintf("%s %s %s: accepted by %s: %s", a.Kind, a.SubjectType, a.SubjectID, a.AcceptedBy, a.Reason), false)
		}
	}
	if len(in.SignOff.History) > 0 {
		f.Heading("History")
	}
	for _, a := range in.SignOff.History {
		f.Text(a.At.UTC().Format("2006-01-02 15:04 UTC"), strings.TrimSuffix(a.Action+" by "+a.By+": "+a.Reason, ": "), false)
	}
}

func amount(n numbers.Number, unit string) workbook.FrontAmount {
	return workbook.FrontAmount{Value: n, Unit: unit}
}
