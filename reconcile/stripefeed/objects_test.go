package stripefeed

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What an invoice and its lines say of service and tax is the same in the shape that API versions had before 2025-03-31, and in that of later ones.
func TestInvoicesAreReadInBothShapes(t *testing.T) {
	read := func(document string) (map[string]any, map[string]any) {
		t.Helper()
		var inv invoice
		if err := json.Unmarshal([]byte(document), &inv); err != nil {
			t.Fatal(err)
		}
		table, lines := columns{}, columns{}
		if err := inv.store(table); err != nil {
			t.Fatal(err)
		}
		for _, line := range *inv.Lines.Data {
			line.invoice = inv.ID
			if err := line.store(lines); err != nil {
				t.Fatal(err)
			}
		}
		return table, lines
	}
	before, linesBefore := read(`{"id":"in_1","object":"invoice","currency":"usd","total":4200,"subscription":"sub_1","total_tax_amounts":[{"amount":500,"inclusive":false},{"amount":100,"inclusive":true}],
		"lines":{"object":"list","has_more":false,"data":[
		{"id":"il_1","object":"line_item","type":"subscription","amount":3000,"currency":"usd","proration":false,"subscription":"sub_1","period":{"start":1,"end":2},"tax_amounts":[{"amount":500,"inclusive":false}]},
		{"id":"il_2","object":"line_item","type":"invoiceitem","amount":-400,"currency":"usd","proration":true,"subscription":"sub_1","period":{"start":1,"end":2},"tax_amounts":[]},
		{"id":"il_3","object":"line_item","type":"invoiceitem","amount":1100,"currency":"usd","proration":false,"subscription":null,"period":{"start":3,"end":3},"tax_amounts":[{"amount":100,"inclusive":true}]}]}}`)
	after, linesAfter := read(`{"id":"in_1","object":"invoice","currency":"usd","total":4200,"parent":{"type":"subscription_details","quote_details":null,"subscription_details":{"metadata":{},"subscription":"sub_1"}},
		"total_taxes":[{"amount":500,"tax_behavior":"exclusive","taxability_reason":"standard_rated","taxable_amount":3000,"type":"tax_rate_details","tax_rate_details":{"tax_rate":"txr_1"}},
		{"amount":100,"tax_behavior":"inclusive","taxability_reason":"standard_rated","taxable_amount":1000,"type":"tax_rate_details","tax_rate_details":{"tax_rate":"txr_1"}}],
		"lines":{"object":"list","has_more":false,"data":[
		{"id":"il_1","object":"line_item","amount":3000,"currency":"usd","period":{"start":1,"end":2},
		"parent":{"type":"subscription_item_details","invoice_item_details":null,"subscription_item_details":{"invoice_item":null,"proration":false,"proration_details":null,"subscription":"sub_1","subscription_item":"si_1"}},
		"taxes":[{"amount":500,"tax_behavior":"exclusive","taxability_reason":"standard_rated","taxable_amount":3000,"type":"tax_rate_details","tax_rate_details":{"tax_rate":"txr_1"}}]},
		{"id":"il_2","object":"line_item","amount":-400,"currency":"usd","period":{"start":1,"end":2},
		"parent":{"type":"subscription_item_details","invoice_item_details":null,"subscription_item_details":{"invoice_item":"ii_1","proration":true,"proration_details":null,"subscription":"sub_1","subscription_item":"si_1"}},"taxes":[]},
		{"id":"il_3","object":"line_item","amount":1100,"currency":"usd","period":{"start":3,"end":3},
		"parent":{"type":"invoice_item_details","subscription_item_details":null,"invoice_item_details":{"invoice_item":"ii_2","proration":false,"proration_details":null,"subscription":null}},
		"taxes":[{"amount":100,"tax_behavior":"inclusive","taxability_reason":"standard_rated","taxable_amount":1000,"type":"tax_rate_details","tax_rate_details":{"tax_rate":"txr_1"}}]}]}}`)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("invoice: %s", diff)
	}
	if diff := cmp.Diff(linesBefore, linesAfter); diff != "" {
		t.Errorf("lines: %s", diff)
	}
	if got, want := linesAfter["tax_minor"], []int64{500, 0, 100}; !cmp.Equal(got, any(want)) {
		t.Errorf("taxes %v", got)
	}
	for _, broken := range []string{`[null]`, `[{"inclusive":true}]`} {
		var line invoiceLine
		if err := json.Unmarshal([]byte(`{"id":"il_1","object":"line_item","amount":1,"currency":"usd","tax_amounts":`+broken+`}`), &line); err != nil {
			t.Fatal(err)
		}
		if err := line.store(columns{}); err == nil {
			t.Errorf("a tax of %s is taken as one of 0", broken)
		}
	}
}

// Who paid is told by what people wrote, in a form that the database takes: the receipt's address where billing has none.
func TestWhoPaidIsKept(t *testing.T) {
	for name, tt := range map[string]struct {
		document, email, metadata, purchase string
	}{
		"billing before receipt": {`"billing_details":{"email":"kim@example.org"},"receipt_email":"other@example.org","metadata":{"purchase_id":"pur_1","order":"A 17"}`, "kim@example.org", `{"order":"A 17","purchase_id":"pur_1"}`, "pur_1"},
		"receipt alone":          {`"billing_details":{"email":null},"receipt_email":"other@example.org","metadata":{}`, "other@example.org", "{}", ""},
		"neither":                {`"metadata":null`, "", "{}", ""},
		"a zero byte":            {`"receipt_email":"a\u0000b","metadata":{"no\u0000te":"x\u0000"}`, "ab", `{"note":"x"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var c charge
			if err := json.Unmarshal([]byte(`{"id":"ch_1","object":"charge","amount":100,"currency":"usd","status":"succeeded",`+tt.document+`}`), &c); err != nil {
				t.Fatal(err)
			}
			table := columns{}
			if err := c.store(table); err != nil {
				t.Fatal(err)
			}
			got := []string{table.texts("email")[0], table.texts("metadata")[0], table.texts("metadata_purchase_id")[0]}
			if diff := cmp.Diff([]string{tt.email, tt.metadata, tt.purchase}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
