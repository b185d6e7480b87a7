package tables

import (
	"bytes"
	"encoding/csv"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The columns that readers rely on.
func TestColumnsAreTheContracts(t *testing.T) {
	for _, c := range []struct {
		columns Columns
		want    string
	}{
		{ColumnsOf[Break](), "break_id, kind, severity, status, account_id, subject_type, subject_id, field, ours, theirs, variance, unit, first_seen, last_seen, age_days, action, detail"},
		{ColumnsOf[CreditBack](), "job_id, account_id, kind, failure_code, class, debited, credited_before, credit_back, decision, clause, reason, entry_id"},
		{ColumnsOf[RefundWindow](), "purchase_id, account_id, completed_at, expires_at, state, credits, used_credits, amount_minor, fee_minor, refundable_minor, currency"},
		{ColumnsOf[RefundDecision](), "request_id, account_id, purchase_id, job_id, requested_at, due_date, decision, refund_minor, currency, clauses, reasons"},
		{ColumnsOf[RollForward](), "measure, opening, purchases, promotions, usage, credit_backs, refunds, adjustments, late_items, closing, closing_from_lots, difference"},
		{ColumnsOf[StripeActivity](), "reporting_category, currency, count, gross, fee, net"},
		{ColumnsOf[ControlTotal](), "check, unit, scanned, matched, awaiting, breaks, difference"},
	} {
		if got := strings.Join(c.columns.fileHeader(), ", "); got != c.want {
			t.Errorf("columns are\n%s, want\n%s", got, c.want)
		}
	}
}

func TestCSVCells(t *testing.T) {
	zone := time.FixedZone("+02:00", 2*60*60)
	rows := []Reject{
		{Relation: "plain", RowID: "a,b", Field: `say "hi"`, AccountID: "two\nlines", Value: "=1+1", Problem: " outer blanks "},
		{Relation: "-5", RowID: "-5x", Field: "+1", AccountID: "@SUM(A1)", Value: "\tx", Problem: "\rx"},
		{Relation: "'=x", RowID: "'plain", Field: "-", AccountID: "=\"a\",b", Value: "café ✓", Problem: "bad \xff byte"},
	}
	var out bytes.Buffer
	if err := WriteCSV(&out, rows); err != nil {
		t.Fatal(err)
	}
	want := "relation,row_id,field,account_id,value,problem\r\n" +
		"plain,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",'=1+1,\" outer blanks \"\r\n" +
		"-5,'-5x,'+1,'@SUM(A1),'\tx,\"'\rx\"\r\n" +
		"''=x,'plain,'-,\"'=\"\"a\"\",b\",café ✓,bad \uFFFD byte\r\n"
	if out.String() != want {
		t.Errorf("got\n%q, want\n%q", out.String(), want)
	}

	out.Reset()
	if err := WriteCSV(&out, []RefundWindow{{PurchaseID: "p", CompletedAt: time.Date(2026, 3, 14, 1, 2, 3, 0, zone), ExpiresAt: time.Date(2026, 3, 21, 1, 2, 3, 4000, zone), AmountMinor: -5}}); err != nil {
		t.Fatal(err)
	}
	if line := strings.Split(out.String(), "\r\n")[1]; line != "p,,2026-03-13T23:02:03Z,2026-03-20T23:02:03.000004Z,,0,0,-5,,," {
		t.Errorf("line is %q", line)
	}
}

func FuzzCSVReadsBack(f *testing.F) {
	f.Add("=1", "a\"b", "x,\ny")
	f.Add("'", "''=", "-1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, text := range []string{a, b, c} {
			if strings.Contains(text, "\r") || strings.ToValidUTF8(text, "\uFFFD") != text {
				return // encoding/csv normalizes carriage returns; invalid UTF-8 is replaced on purpose
			}
		}
		row := Reject{Relation: "r", RowID: a, Field: b, Value: c}
		var out bytes.Buffer
		if err := WriteCSV(&out, []Reject{row}); err != nil {
			t.Fatal(err)
		}
		records, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(records) != 2 {
			t.Fatalf("%q: %v", out.String(), err)
		}
		got := records[1]
		if want := []string{"r", a, b, "", c, ""}; !reflect.DeepEqual([]string{got[0], RestoreText(got[1]), RestoreText(got[2]), got[3], RestoreText(got[4]), got[5]}, want) {
			t.Errorf("read back %q, want %q", got, want)
		}
		for _, cell := range got {
			if runsAsFormula([]byte(cell)) {
				t.Errorf("%q would run as a formula", cell)
			}
		}
	})
}

// Spreadsheets skip blanks and what has no width, and some read full-width signs like the others.
func TestTextsThatASpreadsheetWouldRunAreDefused(t *testing.T) {
	for _, sign := range []string{"=", "+", "-", "@", "\uFF1D", "\uFF0B", "\uFF0D", "\uFF20", "\uFE66", "\uFE62", "\uFE63", "\uFE6B", "\u2212"} {
		for _, before := range []string{"", " ", "  ", "\u00A0", "\u3000", "\u200B", "\u200E", "\u2060", "\uFEFF", "\u00AD", "\u034F", "\u202E", "\x00", " \t\n", "\r\n"} {
			text := before + sign + "1+A1"
			if got := DefuseText(text); got != "'"+text {
				t.Errorf("%q is written as %q", text, got)
			}
			if back := RestoreText(DefuseText(text)); back != text {
				t.Errorf("%q comes back as %q", text, back)
			}
		}
	}
	for _, text := range []string{"", " ", "'", "-5", " -5", "5", "a=b", "acct_1", "'quoted'", "\uFEFF", "1-1", "\u00A0x", "日本＝語"} {
		if got := DefuseText(text); got != text {
			t.Errorf("the harmless %q is written as %q", text, got)
		}
		if back := RestoreText(text); back != text {
			t.Errorf("%q comes back as %q", text, back)
		}
	}
}
