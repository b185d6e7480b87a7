package simulation

import "testing"

func TestMisstateBalance(t *testing.T) {
	got := string(misstateBalance([]byte(`{"available":[{"amount":100,"currency":"eur"},{"amount":9007199254740993,"currency":"usd"}],"object":"balance"}`), "usd"))
	want := `{"available":[{"amount":100,"currency":"eur"},{"amount":9007199254742227,"currency":"usd"}],"object":"balance"}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOmitCharge(t *testing.T) {
	for name, c := range map[string]struct{ page, want string }{
		"the oldest charge of the last page": {
			`{"data":[{"id":"3","reporting_category":"charge"},{"id":"2","reporting_category":"charge"},{"id":"1","reporting_category":"fee"}],"has_more":false}`,
			`{"data":[{"id":"3","reporting_category":"charge"},{"id":"1","reporting_category":"fee"}],"has_more":false}`},
		"nothing of a page before it": {`{"data":[{"id":"3","reporting_category":"charge"}],"has_more":true}`, `{"data":[{"id":"3","reporting_category":"charge"}],"has_more":true}`},
		"nothing of what is no JSON":  {`<html>`, `<html>`},
	} {
		if got := string(omitCharge([]byte(c.page))); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
