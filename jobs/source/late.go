package source

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// changedNight is a night, or all the time before the first one, whose rows are not those that were read.
type changedNight struct {
	BusinessDate reconcile.Date
	Relation     string
	Begins       time.Time
	Ends         time.Time
	Gained       int64          // how many rows more the night has than were read
	GainedAmount numbers.Number // and how many credits more
}

func (c changedNight) isChanged() bool {
	return c.Gained != 0 || !c.GainedAmount.IsZero()
}

// bookLateRows compares reported nights with what they had read. Entries that arrived since are booked in this night, where that is still open;
// jobs and purchases that they gained are read again by it.
func (n *reader) bookLateRows(ctx context.Context, tx *postgres.Tx) error {
	if !n.IsOpen() {
		return nil
	}
	n.Reading.LedgerChanged = false
	var dates []reconcile.Date
	var withBaseline bool
	base, err := loadBaseline(ctx, tx, n.Date)
	n.Reading.Continues = base.Continues
	if err == nil {
		dates, withBaseline, err = n.nightsToLookBackAt(ctx, tx, base)
	}
	if err == nil {
		err = n.bookLateRowsOf(ctx, tx, dates, n.Date, true)
	}
	if err == nil && withBaseline {
		err = n.bookLateBaseline(ctx, tx, base.BusinessDate, n.Date)
	}
	if err != nil {
		return fmt.Errorf("late rows: %w", err)
	}
	return nil
}

// bookOwnLateRows is for a night that is run again after later ones were reported. It books its own new rows, in the night after the last reported
// one, and those of no other night; a night of the baseline, or the one that opened the books, books what is new of the whole baseline.
func (n *reader) bookOwnLateRows(ctx context.Context, tx *postgres.Tx) error {
	n.Reading.LedgerChanged = false
	bookedOn := n.Run.Reported.AddDays(1)
	base, err := loadBaseline(ctx, tx, n.Date)
	n.Reading.Continues = base.Continues
	if err == nil {
		err = n.bookLateRowsOf(ctx, tx, []reconcile.Date{n.Date}, bookedOn, false)
	}
	if err == nil && base.Noted && !n.Date.After(base.BusinessDate) && (!base.Continues || base.Entries <= n.Settings.Sizes.LookBackRows) {
		err = n.bookLateBaseline(ctx, tx, base.BusinessDate, bookedOn)
	}
	if err != nil {
		return fmt.Errorf("late rows: %w", err)
	}
	return nil
}

// rejectLateRows names the rows of earlier nights that break the contract and that those nights could not name yet. Only nights that now have other
// numbers of rows than were read are looked at, but for purchases and requests, which are few.
func (n *reader) rejectLateRows(ctx context.Context, tx *postgres.Tx, nights []lookedBack) error {
	if err := n.Forget(ctx, tx, "late/forget_rejects"); err != nil {
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

func (n *reader) rejectLateRowsOf(ctx context.Context, tx *postgres.Tx, nights []reconcile.Night, relations []string) error {
	for _, period := range periods(nights) {
		args := postgres.Args{"begins": period.Begin, "ends": period.End, "relations": relations}
		rejected, err := tx.Exec(ctx, "late/reject", args)
		if err != nil {
			return err
		}
		n.rejectedLate = n.rejectedLate || rejected > 0
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
	BusinessDate reconcile.Date
	Rows         int64
	isBaseline   bool // all that the ledger held before BusinessDate
}

// nightsToLookBackAt are the nights to compare with what they had read: those of the look-back, and a share of all older ones, so small that it costs
// little beside the night itself: a long history takes many nights. The baseline is in a share like an older night; a big one is in one of so many
// more that it costs a night no more than a ledger that is added up every night. It is also looked at whenever the closing doesn't tie to the ledger,
// and by a night that has no other to continue from.
func (n *reader) nightsToLookBackAt(ctx context.Context, tx *postgres.Tx, base baseline) (dates []reconcile.Date, withBaseline bool, err error) {
	var older []olderNight
	first := n.Date.AddDays(-n.Settings.LateLookbackNights)
	if err := tx.Select(ctx, &older, "late/older_nights", postgres.Args{"before": first}); err != nil {
		return nil, false, err
	}
	isLate := base.isLate(n.Date)
	var shares [][]olderNight // of neighbours, which are read as one
	if isLate {
		older = slices.Insert(older, 0, olderNight{BusinessDate: base.BusinessDate, Rows: base.Entries, isBaseline: true})
		shares = make([][]olderNight, base.Entries/n.Settings.Sizes.LedgerRows)
	}
	var rows int64
	for _, night := range older {
		if rows += night.Rows; len(shares) == 0 || rows > n.Settings.Sizes.ShareRows {
			shares, rows = append(shares, nil), night.Rows
		}
		shares[len(shares)-1] = append(shares[len(shares)-1], night)
	}
	var share []olderNight
	if len(shares) > 0 {
		share = shares[shareOf(n.Date.DaysSince(older[0].BusinessDate), len(shares))]
	}
	withBaseline = isLate && (!base.Continues || base.Untied || n.checkBaseline)
	if !base.Continues {
		share = older // its books are opened with all of it
	}
	for _, night := range share {
		if night.isBaseline {
			withBaseline = true
			continue
		}
		dates = append(dates, night.BusinessDate)
	}
	for d := first; d.Before(n.Date); d = d.AddDays(1) {
		dates = append(dates, d)
	}
	return dates, withBaseline, nil
}

// shareOf says which of so many shares is looked at on a day. Each has its turn within twice as many days as there are shares, even while their number
// grows by one a day: the remainder of a division by their number would then stay the same.
func shareOf(day, shares int) int {
	cycle := 1
	for cycle < shares {
		cycle *= 2
	}
	if share := day % cycle; share < shares {
		return share
	}
	return day%cycle - cycle/2
}

// lookedBack is an earlier night that is being compared with what it had read.
type lookedBack struct {
	reconcile.Night
	reported bool
	thorough bool // row by row; else only its purchases, as its numbers of other rows are those that it noted
}

// lookBackAt says which of the nights have been reported, and which have to be looked at thoroughly: all, where that is cheap; else those that
// have other numbers of rows than they noted, or had rows that broke the contract and may have been mended since.
func (n *reader) lookBackAt(ctx context.Context, tx *postgres.Tx, dates []reconcile.Date) (nights []lookedBack, err error) {
	var named []string
	for _, d := range dates {
		named = append(named, d.String())
	}
	type numbers struct{ Jobs, Entries int64 }
	var noted []struct {
		BusinessDate reconcile.Date
		numbers
		WasRead      bool
		SomeRejected bool
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

// baseline is what there was before the night that opened the books, as the newest night with none to continue from has noted it.
type baseline struct {
	BusinessDate reconcile.Date // of that night
	Entries      int64
	Untied       bool // the closing last compared with the ledger did not tie
	Noted        bool // false: no closed night has noted it; earlier versions did not
	Continues    bool // this night has another one to continue from
}

func loadBaseline(ctx context.Context, tx *postgres.Tx, day reconcile.Date) (base baseline, err error) {
	return base, tx.Get(ctx, &base, "late/before", postgres.Args{"date": day, "control": night.ClosingIsLedger})
}

// isLate says whether rows that arrive of the baseline are late for an open night: not where the night reads the baseline anew.
func (b baseline) isLate(night reconcile.Date) bool {
	return b.Noted && (b.BusinessDate.Before(night) || b.BusinessDate == night && b.Continues)
}

// bookLateBaseline books what has arrived of the baseline, which no night has read, but the one that opened the books continued from: entries and
// purchases. Jobs of that time are not reconciled.
func (n *reader) bookLateBaseline(ctx context.Context, tx *postgres.Tx, opened, bookedOn reconcile.Date) error {
	n.Reading.BaselineChecked = true
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
	args := postgres.Args{"ends": ends, "booked_at": reconcile.NightOf(bookedOn, n.Settings.Zone).Begin}
	if _, err := tx.Exec(ctx, "late/book_purchases", args); err != nil {
		return fmt.Errorf("purchases before %s: %w", opened, err)
	}
	return nil
}

func (n *reader) bookLateRowsOf(ctx context.Context, tx *postgres.Tx, nights []reconcile.Date, bookedOn reconcile.Date, isOpen bool) error {
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
		n.Reading.Rescans = true
		if _, err := tx.Exec(ctx, "late/rescan", postgres.Args{"relation": c.Relation, "rescanned": c.BusinessDate, "begins": c.Begins, "ends": c.Ends}); err != nil {
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
	AccountID  string
	Gained     int   // by how many entries the account has more
	GainedHash int64 // of the ids that differ, by exclusive or
	ID         string
	Hash       int64
	At         time.Time
	Credits    numbers.Number
}

// bookLateEntries books what a statement of accounts that differ shows to have arrived.
func (n *reader) bookLateEntries(ctx context.Context, tx *postgres.Tx, c changedNight, accounts string, bookedOn reconcile.Date) error {
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
		n.bookedLate = true
		for _, row := range late {
			_, err := tx.Exec(ctx, "late/book", postgres.Args{
				"account_id": row.AccountID, "entry_id": row.ID, "entry_date": n.DateOf(row.At), "booked_on": bookedOn, "booked_at": bookedAt, "credits": row.Credits,
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

// CheckBaseline makes the night start over, with ErrBaselineChanged, where the baseline has changed and the night has not looked at it: then it books
// what has arrived.
func CheckBaseline(ctx context.Context, n *night.Night, tx *postgres.Tx, checked bool) error {
	base, err := loadBaseline(ctx, tx, n.Date)
	if err != nil || checked || !base.isLate(n.Date) {
		return err
	}
	var changed changedNight
	args := postgres.Args{"date": base.BusinessDate, "ends": reconcile.NightOf(base.BusinessDate, n.Settings.Zone).Begin}
	if err := tx.Get(ctx, &changed, "late/before_changed", args); err != nil || !changed.isChanged() {
		return err
	}
	return fmt.Errorf("%w (entries from before %s have arrived)", ErrBaselineChanged, base.BusinessDate)
}
