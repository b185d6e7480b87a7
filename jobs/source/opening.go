package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	queries "github.com/hummingbytes/reconciler/sql"
)

// opening is a night while its source is being read.
type opening struct {
	*night.Night
	Reading
	surplus    []surplusRows
	lookBehind bool // at what there was before the night that opened the books, whether or not it is that time's turn
}

// Open prepares what every step of the night relies on, whichever of them is run: the policy's versions, the rows that turned up in periods
// already reported, and the night's own rows, read once, with those that break the contract. The night that it returns reads the first row alone of
// an id that is there more than once.
func Open(ctx context.Context, night *night.Night, lookBehind bool) (*night.Night, *Reading, error) {
	guarded, surplus, err := guardSource(ctx, night)
	if err != nil {
		return nil, nil, fmt.Errorf("duplicates: %w", err)
	}
	n := &opening{Night: guarded, surplus: surplus, lookBehind: lookBehind}
	return guarded, &n.Reading, n.open(ctx)
}

func (n *opening) open(ctx context.Context) error {
	isOpen := n.IsOpen()
	err := n.Store.InTx(ctx, night.MatchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		if _, err := tx.Exec(ctx, "reading/clear", postgres.Args{"date": n.Date}); err != nil {
			return err
		}
		if err := registerPolicy(ctx, n.Night, tx); err != nil {
			return err
		}
		if !isOpen {
			if err := n.bookOwnLateRows(ctx, tx); err != nil {
				return err
			}
		}
		return n.prepareReading(ctx, tx)
	})
	if err != nil {
		return err
	}
	if isOpen { // what turns up late is of other nights than the one that is read
		if err := n.Store.InTx(ctx, night.MatchingTx, n.bookLateRows); err != nil {
			return err
		}
	}
	if err := n.read(ctx); err != nil {
		return err
	}
	if isOpen { // late rows that were booked just now count in this night
		if err := n.Store.Get(ctx, &n.Reading.SomeMoved, "reading/some_moved", n.Span(postgres.Args{"date": n.Date})); err != nil {
			return err
		}
	}
	n.Step("open/read")
	if err := n.Store.InTx(ctx, night.MatchingTx, n.compareJobs); err != nil {
		return err
	}
	return n.Store.InTx(ctx, night.MatchingTx, n.noteReading)
}

// noteReading names the rows that break the contract, keeps totals of the others for later nights, and finds the accounts that they have moved.
func (n *opening) noteReading(ctx context.Context, tx *postgres.Tx) error {
	if err := n.rejectRows(ctx, tx); err != nil {
		return fmt.Errorf("rejects: %w", err)
	}
	if err := n.recordTotals(ctx, tx); err != nil {
		return err
	}
	return n.findMoves(ctx, tx)
}

func (n *opening) rejectRows(ctx context.Context, tx *postgres.Tx) error {
	const job = "source"
	if _, err := tx.Exec(ctx, "rejects/clear", postgres.Args{"date": n.Date}); err != nil {
		return err
	}
	controls := night.NewControls(n.Night, job)
	var late []struct{ Relation, Rows string }
	if err := tx.Select(ctx, &late, "late/rejected", postgres.Args{"date": n.Date}); err != nil {
		return err
	}
	for _, l := range late {
		controls.Add("source "+l.Relation+", turned up late", "rows", l.Rows, "0", "0", l.Rows)
	}
	for _, surplus := range n.surplus {
		controls.Add("source "+surplus.relation+", rows beyond the first of an id", "rows", surplus.rows, "0", "0", surplus.rows)
	}
	var counts []struct {
		Relation   string
		Rows, Kept numbers.Number
	}
	if err := tx.Select(ctx, &counts, "rejects/counts", n.Span(postgres.Args{"date": n.Date})); err != nil {
		return err
	}
	seen := map[string]struct{ rows, kept numbers.Number }{}
	rejected := map[string]numbers.Number{}
	var broken []string // most nights keep the contract, and are read once
	for _, c := range counts {
		seen[c.Relation], rejected[c.Relation] = struct{ rows, kept numbers.Number }{c.Rows, c.Kept}, "0"
		if c.Rows != c.Kept {
			broken = append(broken, c.Relation)
		}
	}
	if len(broken) > 0 {
		var named []struct {
			Relation string
			Rows     numbers.Number
		}
		if err := tx.Select(ctx, &named, "rejects/name", n.Span(postgres.Args{"date": n.Date, "relations": broken})); err != nil {
			return err
		}
		for _, r := range named {
			rejected[r.Relation] = r.Rows
		}
	}
	for _, source := range queries.SourceRelations {
		relation, rejected := source.Name, rejected[source.Name]
		rows, kept := seen[relation].rows, seen[relation].kept
		if relation == "subscriptions" {
			if rejected == "0" {
				continue // how many there are changes from day to day, and a rerun of an old night must not
			}
			rows, kept = rejected, "0"
		}
		if err := StillTheSame("rows of "+relation, rows, kept.Plus(rejected)); err != nil {
			return err
		}
		controls.Add("source "+relation, "rows", string(rows), string(kept), "0", string(rejected))
	}
	return controls.Record(ctx, tx)
}

type changedNight struct {
	BusinessDate reconcile.Date `db:"business_date"`
	Relation     string
	Begins       time.Time
	Ends         time.Time
	Gained       int64          // by how many rows the night has more than were read
	GainedAmount numbers.Number `db:"gained_amount"` // and by how many credits
}

func (c changedNight) isChanged() bool {
	return c.Gained != 0 || !c.GainedAmount.IsZero()
}

// bookLateRows compares reported nights with what they had read. Entries that turned up since are booked in this night, which is still open;
// jobs and purchases that they gained are read again by it.
func (n *opening) bookLateRows(ctx context.Context, tx *postgres.Tx) error {
	n.Reading.LedgerChanged = false
	var dates []reconcile.Date
	var behind bool
	before, err := loadNotedBefore(ctx, tx, n.Date)
	n.Reading.GoesOn = before.goesOn
	if err == nil {
		dates, behind, err = n.nightsToLookBackAt(ctx, tx, before)
	}
	if err == nil {
		err = n.bookLateRowsOf(ctx, tx, dates, n.Date, true)
	}
	if err == nil && behind {
		err = n.bookRowsBefore(ctx, tx, before.BusinessDate, n.Date)
	}
	if err != nil {
		return fmt.Errorf("late rows: %w", err)
	}
	return nil
}

// bookOwnLateRows is for a night that is run after later ones: its own new rows belong to the night after the last reported one, and it books
// nothing of other nights. Where it is one that the books were opened with or that lies before, those are the new rows of all that time.
func (n *opening) bookOwnLateRows(ctx context.Context, tx *postgres.Tx) error {
	n.Reading.LedgerChanged = false
	bookedOn := n.Run.Reported.AddDays(1)
	before, err := loadNotedBefore(ctx, tx, n.Date)
	n.Reading.GoesOn = before.goesOn
	if err == nil {
		err = n.bookLateRowsOf(ctx, tx, []reconcile.Date{n.Date}, bookedOn, false)
	}
	if err == nil && before.noted && !n.Date.After(before.BusinessDate) && (!before.goesOn || before.Entries <= n.Settings.Sizes.LookBackRows) {
		err = n.bookRowsBefore(ctx, tx, before.BusinessDate, bookedOn)
	}
	if err != nil {
		return fmt.Errorf("late rows: %w", err)
	}
	return nil
}

// rejectLateRows names the rows of earlier nights that break the contract and that those nights could not name yet: of nights that
// have other numbers of rows than were read, and of purchases and requests, which are few, whatever they have.
func (n *opening) rejectLateRows(ctx context.Context, tx *postgres.Tx, nights []lookedBack) error {
	if _, err := tx.Exec(ctx, "late/forget_rejects", postgres.Args{"date": n.Date}); err != nil {
		return err
	}
	var all, thorough []reconcile.Night
	for _, night := range nights {
		if !night.reported {
			continue // it names its rows itself once it is run
		}
		all = append(all, night.Night)
		if night.thorough {
			thorough = append(thorough, night.Night)
		}
	}
	few, many := []string{"purchases", "refund_requests"}, []string{"jobs", "credit_entries"}
	if len(thorough) == len(all) {
		return n.rejectLateRowsOf(ctx, tx, all, append(few, many...))
	}
	if err := n.rejectLateRowsOf(ctx, tx, all, few); err != nil {
		return err
	}
	return n.rejectLateRowsOf(ctx, tx, thorough, many)
}

func (n *opening) rejectLateRowsOf(ctx context.Context, tx *postgres.Tx, nights []reconcile.Night, relations []string) error {
	for _, period := range periods(nights) {
		args := postgres.Args{"date": n.Date, "begin": n.Begin, "begins": period.Begin, "ends": period.End, "relations": relations}
		if _, err := tx.Exec(ctx, "late/reject", args); err != nil {
			return err
		}
	}
	return nil
}

// periods are the same times as nights in ascending order, with nights that follow one another as one.
func periods(nights []reconcile.Night) (joined []reconcile.Night) {
	for _, night := range nights {
		if last := len(joined) - 1; last >= 0 && joined[last].End.Equal(night.Begin) {
			joined[last].End = night.End
			continue
		}
		joined = append(joined, night)
	}
	return joined
}

// olderNight is a night before the look-back, or all the time before the first one.
type olderNight struct {
	BusinessDate reconcile.Date `db:"business_date"`
	Rows         int64
	isBefore     bool // all that the ledger held before BusinessDate
}

// nightsToLookBackAt are the nights that are held against what they had read: those of the look-back, and of all older ones as many as cost
// little beside the night itself. A long history is gone through in turns. What the ledger held before the first night has its turn like an
// older night, unless it is too much for that; and always when the closing doesn't tie to the ledger, or this night has no other to go on from.
func (n *opening) nightsToLookBackAt(ctx context.Context, tx *postgres.Tx, before notedBefore) (dates []reconcile.Date, behind bool, err error) {
	var older []olderNight
	first := n.Date.AddDays(-n.Settings.LateLookbackNights)
	if err := tx.Select(ctx, &older, "late/older_nights", postgres.Args{"before": first}); err != nil {
		return nil, false, err
	}
	isLate := before.isLate(n.Date)
	if isLate && before.Entries <= n.Settings.Sizes.LookBackRows {
		older = slices.Insert(older, 0, olderNight{BusinessDate: before.BusinessDate, Rows: before.Entries, isBefore: true})
	}
	var turns [][]olderNight // of neighbours, which are read as one
	var rows int64
	for _, night := range older {
		if rows += night.Rows; len(turns) == 0 || rows > n.Settings.Sizes.TurnRows {
			turns, rows = append(turns, nil), night.Rows
		}
		turns[len(turns)-1] = append(turns[len(turns)-1], night)
	}
	var turn []olderNight
	if len(turns) > 0 {
		turn = turns[turnOf(n.Date.DaysSince(older[0].BusinessDate), len(turns))]
	}
	behind = isLate && (!before.goesOn || before.Untied || n.lookBehind)
	if !before.goesOn {
		turn = older // its books are opened with all of it
	}
	for _, night := range turn {
		if night.isBefore {
			behind = true
			continue
		}
		dates = append(dates, night.BusinessDate)
	}
	for d := first; d.Before(n.Date); d = d.AddDays(1) {
		dates = append(dates, d)
	}
	return dates, behind, nil
}

// turnOf says whose turn of so many it is on a day. Each comes within twice their number of days, also while there is one more every day, when
// the remainder of the division by their number would stay the same.
func turnOf(day, turns int) int {
	cycle := 1
	for cycle < turns {
		cycle *= 2
	}
	if turn := day % cycle; turn < turns {
		return turn
	}
	return day%cycle - cycle/2
}

// lookedBack is an earlier night that is held against what it had read.
type lookedBack struct {
	reconcile.Night
	reported bool
	thorough bool // row by row; else only its purchases, as its numbers of other rows are those that it noted
}

// lookBackAt says which of the nights have been reported, and which have to be looked at thoroughly: all, where that is cheap; else those that
// have other numbers of rows than they noted, or had rows that broke the contract and may have been mended since.
func (n *opening) lookBackAt(ctx context.Context, tx *postgres.Tx, dates []reconcile.Date) (nights []lookedBack, err error) {
	var named []string
	for _, d := range dates {
		named = append(named, d.String())
	}
	type numbers struct{ Jobs, Entries int64 }
	var noted []struct {
		BusinessDate reconcile.Date `db:"business_date"`
		numbers
		WasRead      bool `db:"was_read"`
		SomeRejected bool `db:"some_rejected"`
		Reported     bool
	}
	if err := tx.Select(ctx, &noted, "late/noted", postgres.Args{"dates": named}); err != nil {
		return nil, err
	}
	var rows int64
	for _, night := range noted {
		rows += night.Jobs + night.Entries
	}
	for _, night := range noted {
		looked := lookedBack{Night: reconcile.NightOf(night.BusinessDate, n.Settings.Zone), reported: night.Reported, thorough: true}
		if rows > n.Settings.Sizes.LookBackRows && night.WasRead && !night.SomeRejected {
			var now numbers
			if err := tx.Get(ctx, &now, "late/rows_now", postgres.Args{"begins": looked.Begin, "ends": looked.End}); err != nil {
				return nil, err
			}
			looked.thorough = now != night.numbers
		}
		nights = append(nights, looked)
	}
	return nights, nil
}

// notedBefore is what the newest night that had no other to go on from has noted of the ledger before it.
type notedBefore struct {
	BusinessDate reconcile.Date `db:"business_date"` // of that night
	Entries      int64
	Untied       bool // the closing last held against the ledger did not tie
	noted        bool // false: no closed night has noted it; earlier versions did not
	goesOn       bool // this night has another one to go on from
}

func loadNotedBefore(ctx context.Context, tx *postgres.Tx, day reconcile.Date) (before notedBefore, err error) {
	switch err := tx.Get(ctx, &before, "late/before", postgres.Args{"date": day, "check": night.ClosingIsLedger}); {
	case err == nil:
		before.noted = true
	case !errors.Is(err, sql.ErrNoRows):
		return before, err
	}
	err = tx.Get(ctx, &before.goesOn, "books/previous", postgres.Args{"date": day})
	return before, err
}

// isLate says whether what turned up from before the night that opened the books is late for a night, if that is open: unless it reads all that anew.
func (b notedBefore) isLate(night reconcile.Date) bool {
	return b.noted && (b.BusinessDate.Before(night) || b.BusinessDate == night && b.goesOn)
}

// bookRowsBefore is for what has turned up in the time before the night that opened the books: no night has read it, but that one went on from it.
// Purchases are booked with it; jobs of that time are in nobody's books.
func (n *opening) bookRowsBefore(ctx context.Context, tx *postgres.Tx, opened, bookedOn reconcile.Date) error {
	n.Reading.LookedBehind = true
	ends := reconcile.NightOf(opened, n.Settings.Zone).Begin
	changed := changedNight{BusinessDate: opened, Relation: "credit_entries", Ends: ends}
	if err := tx.Get(ctx, &changed, "late/before_changed", postgres.Args{"date": opened, "ends": ends}); err != nil {
		return fmt.Errorf("ledger before %s: %w", opened, err)
	}
	if changed.isChanged() {
		if err := n.bookLateEntries(ctx, tx, changed, "late/changed_accounts_before", bookedOn); err != nil {
			return fmt.Errorf("ledger before %s: %w", opened, err)
		}
	}
	args := postgres.Args{"ends": ends, "booked_at": reconcile.NightOf(bookedOn, n.Settings.Zone).Begin, "as_of": n.AsOf()}
	if _, err := tx.Exec(ctx, "late/book_purchases", args); err != nil {
		return fmt.Errorf("purchases before %s: %w", opened, err)
	}
	return nil
}

// dateOf is the business date of an instant.
func (n *opening) dateOf(at time.Time) reconcile.Date {
	return reconcile.DateOf(at.In(n.Settings.Zone))
}

// recordTotals notes what this night has read, for later nights to tell late rows by.
func (n *opening) recordTotals(ctx context.Context, tx *postgres.Tx) error {
	if !n.IsOpen() {
		_, err := tx.Exec(ctx, "late/note_reread", n.Span(postgres.Args{"date": n.Date}))
		return err
	}
	if _, err := tx.Exec(ctx, "late/forget_totals", postgres.Args{"date": n.Date}); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "late/record_totals", n.Span(postgres.Args{"date": n.Date}))
	return err
}

func (n *opening) bookLateRowsOf(ctx context.Context, tx *postgres.Tx, nights []reconcile.Date, bookedOn reconcile.Date, isOpen bool) error {
	looked, err := n.lookBackAt(ctx, tx, nights)
	if err != nil {
		return err
	}
	if isOpen {
		if err := n.rejectLateRows(ctx, tx, looked); err != nil {
			return err
		}
	}
	var dates []string
	var begins, ends []time.Time
	var thorough []bool
	for _, night := range looked {
		if !night.reported {
			continue
		}
		dates, begins, ends, thorough = append(dates, night.Date.String()), append(begins, night.Begin), append(ends, night.End), append(thorough, night.thorough)
	}
	if len(dates) == 0 {
		return nil
	}
	args := postgres.Args{"dates": dates, "begins": begins, "ends": ends, "thorough": thorough}
	var changed []changedNight
	if err := tx.Select(ctx, &changed, "late/changed_nights", args); err != nil {
		return err
	}
	for _, c := range changed {
		if c.Relation == "credit_entries" {
			if err := n.bookLateEntries(ctx, tx, c, "late/changed_accounts", bookedOn); err != nil {
				return fmt.Errorf("ledger of %s: %w", c.BusinessDate, err)
			}
			continue
		}
		if !isOpen {
			continue // this very run reads them
		}
		if _, err := tx.Exec(ctx, "late/rescan", postgres.Args{"date": n.Date, "relation": c.Relation, "rescanned": c.BusinessDate, "begins": c.Begins, "ends": c.Ends}); err != nil {
			return err
		}
		var now struct {
			Rows   int64
			Amount string
		}
		if err := tx.Get(ctx, &now, "late/rows_of_night", postgres.Args{"relation": c.Relation, "begins": c.Begins, "ends": c.Ends}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "late/refresh_total", postgres.Args{"relation": c.Relation, "rescanned": c.BusinessDate, "rows": now.Rows, "amount": now.Amount}); err != nil {
			return err
		}
	}
	return nil
}

// lateCandidate is an entry of an account that has other entries in a reported night than were read.
type lateCandidate struct {
	AccountID  string `db:"account_id"`
	Gained     int    // by how many entries the account has more
	GainedHash int64  `db:"gained_hash"` // of the ids that differ, by exclusive or
	ID         string
	Hash       int64
	At         time.Time
	Credits    numbers.Number
}

// bookLateEntries books what a statement of accounts that differ shows to have turned up.
func (n *opening) bookLateEntries(ctx context.Context, tx *postgres.Tx, c changedNight, accounts string, bookedOn reconcile.Date) error {
	args := postgres.Args{"date": c.BusinessDate, "ends": c.Ends}
	if !c.Begins.IsZero() {
		args["begins"] = c.Begins
	}
	var rows []lateCandidate
	if err := tx.Select(ctx, &rows, accounts, args); err != nil {
		return err
	}
	unexplained := 0
	if len(rows) == 0 {
		unexplained++ // all that an account had is gone, or the night was read by a version that noted no accounts
	}
	bookedAt := reconcile.NightOf(bookedOn, n.Settings.Zone).Begin
	booked, bookedCredits := int64(0), numbers.Number("0")
	for len(rows) > 0 {
		size := 1
		for size < len(rows) && rows[size].AccountID == rows[0].AccountID {
			size++
		}
		account := rows[:size]
		rows = rows[size:]
		late, ok := lateOf(account)
		if !ok {
			unexplained++
			continue
		}
		for _, row := range late {
			_, err := tx.Exec(ctx, "late/book", postgres.Args{
				"account_id": row.AccountID, "entry_id": row.ID, "entry_date": n.dateOf(row.At), "booked_on": bookedOn, "booked_at": bookedAt, "credits": row.Credits,
			})
			if err != nil {
				return fmt.Errorf("entry %s: %w", row.ID, err)
			}
			booked, bookedCredits = booked+1, bookedCredits.Plus(row.Credits)
		}
	}
	if unexplained > 0 || booked != c.Gained || bookedCredits.Compare(c.GainedAmount) != 0 {
		n.Reading.LedgerChanged = true
		n.Log.Warn().Stringer("night", c.BusinessDate).Int("accounts", unexplained).
			Msg("a reported night's ledger was changed in a way that no late entry explains: verify it")
	}
	return nil
}

// lateOf names the entries of an account that were not there when the night was read.
func lateOf(account []lateCandidate) ([]lateCandidate, bool) {
	hashed := make([]reconcile.HashedRow, len(account))
	byID := make(map[string]lateCandidate, len(account))
	for i, row := range account {
		hashed[i] = reconcile.HashedRow{ID: row.ID, Hash: uint64(row.Hash), At: row.At}
		byID[row.ID] = row
	}
	named, ok := reconcile.LateRows(hashed, account[0].Gained, uint64(account[0].GainedHash))
	if !ok {
		return nil, false
	}
	late := make([]lateCandidate, len(named))
	for i, row := range named {
		late[i] = byID[row.ID]
	}
	return late, true
}

// LookBehind makes the night start over when it hasn't looked at what there was before the night that opened the books, and that has changed: what
// turned up is booked then.
func LookBehind(ctx context.Context, n *night.Night, tx *postgres.Tx, looked bool) error {
	before, err := loadNotedBefore(ctx, tx, n.Date)
	if err != nil || looked || !before.isLate(n.Date) {
		return err
	}
	var changed changedNight
	args := postgres.Args{"date": before.BusinessDate, "ends": reconcile.NightOf(before.BusinessDate, n.Settings.Zone).Begin}
	if err := tx.Get(ctx, &changed, "late/before_changed", args); err != nil || !changed.isChanged() {
		return err
	}
	return fmt.Errorf("%w (entries from before %s have turned up)", ErrLookBehind, before.BusinessDate)
}
