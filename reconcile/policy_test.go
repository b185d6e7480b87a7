package reconcile_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

func version(t testing.TB, name, from, to string) reconcile.PolicyVersion {
	t.Helper()
	v := reconcile.PolicyVersion{Version: name, EffectiveFrom: instant(t, from), RefundWindow: week, ReviewBusinessDays: 7, HolidayCalendar: "us-federal", Failures: sampleTable(t)}
	if to != "" {
		v.EffectiveTo = instant(t, to)
	}
	return v
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestPoliciesAt(t *testing.T) {
	policies, err := reconcile.NewPolicies([]reconcile.PolicyVersion{
		version(t, "one", "2020-01-01T00:00:00Z", ""),
		version(t, "two", "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z"),
		version(t, "three", "2026-07-01T02:00:00+02:00", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ at, want string }{
		{"2019-12-31T23:59:59.999999999Z", ""},
		{"2020-01-01T00:00:00Z", "one"},
		{"2025-12-31T23:59:59.999999999Z", "one"},
		{"2026-01-01T00:00:00Z", "two"},
		{"2026-01-01T00:59:59+01:00", "one"},
		{"2026-06-30T23:59:59.999999999Z", "two"},
		{"2026-07-01T00:00:00Z", "three"},
		{"9999-01-01T00:00:00Z", "three"},
	}
	for _, test := range tests {
		got, err := policies.At(instant(t, test.at))
		if test.want == "" {
			if !errors.Is(err, reconcile.ErrNoPolicy) {
				t.Errorf("%s: %v", test.at, err)
			}
		} else if err != nil || got.Version != test.want {
			t.Errorf("%s: %q, %v; want %q", test.at, got.Version, err, test.want)
		}
	}
	versions := policies.Versions()
	if len(versions) != 3 || !versions[0].EffectiveTo.Equal(versions[1].EffectiveFrom) || !versions[2].EffectiveTo.IsZero() {
		t.Errorf("versions are not chained: %v", versions)
	}
}

func TestPoliciesWithoutVersionsAreNeverInForce(t *testing.T) {
	if _, err := (reconcile.Policies{}).At(noon); !errors.Is(err, reconcile.ErrNoPolicy) {
		t.Error(err)
	}
}

func TestNewPoliciesFaults(t *testing.T) {
	one, two := version(t, "one", "2020-01-01T00:00:00Z", ""), version(t, "two", "2026-01-01T00:00:00Z", "")
	with := func(v reconcile.PolicyVersion, change func(*reconcile.PolicyVersion)) reconcile.PolicyVersion {
		change(&v)
		return v
	}
	tests := []struct {
		name     string
		versions []reconcile.PolicyVersion
		want     string
	}{
		{"none", nil, "no policy version given"},
		{"gap", []reconcile.PolicyVersion{version(t, "one", "2020-01-01T00:00:00Z", "2025-12-31T23:59:59Z"), two}, `policy version "two": gap: version "one" ends at 2025-12-31T23:59:59Z, this one begins at 2026-01-01T00:00:00Z`},
		{"overlap", []reconcile.PolicyVersion{version(t, "one", "2020-01-01T00:00:00Z", "2026-01-01T00:00:01Z"), two}, `policy version "two": overlap: version "one" ends at 2026-01-01T00:00:01Z, this one begins at 2026-01-01T00:00:00Z already`},
		{"wrong order", []reconcile.PolicyVersion{two, one}, `policy version "one": begins at 2020-01-01T00:00:00Z, not after version "two" before it`},
		{"same beginning", []reconcile.PolicyVersion{one, with(one, func(v *reconcile.PolicyVersion) { v.Version = "uno" })}, `policy version "uno": begins at`},
		{"same name", []reconcile.PolicyVersion{one, with(two, func(v *reconcile.PolicyVersion) { v.Version = "one" })}, `policy version "one": named twice`},
		{"end of the last", []reconcile.PolicyVersion{version(t, "one", "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z")}, "no version follows"},
		{"no name", []reconcile.PolicyVersion{with(one, func(v *reconcile.PolicyVersion) { v.Version = "" })}, "has no name"},
		{"no beginning", []reconcile.PolicyVersion{with(one, func(v *reconcile.PolicyVersion) { v.EffectiveFrom = time.Time{} })}, "has no beginning"},
		{"no window", []reconcile.PolicyVersion{with(one, func(v *reconcile.PolicyVersion) { v.RefundWindow = 0 })}, "refund window 0s"},
		{"endless window", []reconcile.PolicyVersion{with(one, func(v *reconcile.PolicyVersion) { v.RefundWindow = reconcile.MaxRefundWindow + 1 })}, "refund window"},
		{"no review days", []reconcile.PolicyVersion{with(one, func(v *reconcile.PolicyVersion) { v.ReviewBusinessDays = 0 })}, "0 business days"},
		{"no calendar", []reconcile.PolicyVersion{with(one, func(v *reconcile.PolicyVersion) { v.HolidayCalendar = "" })}, "has no holiday calendar"},
		{"no table", []reconcile.PolicyVersion{with(one, func(v *reconcile.PolicyVersion) { v.Failures = reconcile.FailureTable{} })}, "has no failure table"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := reconcile.NewPolicies(test.versions)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// The bounds themselves are allowed; an end that is left open is the next one's beginning.
func TestPoliciesAtTheirBounds(t *testing.T) {
	one := version(t, "one", "2020-01-01T00:00:00Z", "")
	for name, change := range map[string]func(*reconcile.PolicyVersion){
		"longest window": func(v *reconcile.PolicyVersion) { v.RefundWindow = reconcile.MaxRefundWindow },
		"one review day": func(v *reconcile.PolicyVersion) { v.ReviewBusinessDays = 1 },
		"longest review": func(v *reconcile.PolicyVersion) { v.ReviewBusinessDays = reconcile.MaxReviewBusinessDays },
	} {
		v := one
		change(&v)
		if _, err := reconcile.NewPolicies([]reconcile.PolicyVersion{v}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	v := one
	v.ReviewBusinessDays = reconcile.MaxReviewBusinessDays + 1
	if _, err := reconcile.NewPolicies([]reconcile.PolicyVersion{v}); err == nil {
		t.Error("a review of more than a year")
	}
	for _, end := range []string{"", "2026-01-01T00:00:00Z"} {
		if err := reconcile.CheckSuccession(version(t, "one", "2020-01-01T00:00:00Z", end), version(t, "two", "2026-01-01T00:00:00Z", "")); err != nil {
			t.Errorf("end %q: %v", end, err)
		}
	}
	for _, kind := range []string{"stripe_fee", "tax"} {
		if err := reconcile.CheckOtherFeesWithheld([]string{kind}, 0); err == nil || !strings.Contains(err.Error(), "always withheld") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// Whatever can change a decision changes the hash; the same policy always has the same one.
func TestPolicyHash(t *testing.T) {
	base := func() reconcile.PolicyVersion { return version(t, "one", "2020-01-01T00:00:00Z", "") }
	hash := func(v reconcile.PolicyVersion) string {
		policies, err := reconcile.NewPolicies([]reconcile.PolicyVersion{v})
		if err != nil {
			t.Fatal(err)
		}
		return policies.Hash()
	}
	want := hash(base())
	if again := hash(base()); again != want {
		t.Error("the same policy has two hashes")
	}
	inOtherZone := base()
	inOtherZone.EffectiveFrom = inOtherZone.EffectiveFrom.In(time.FixedZone("east", 3600))
	if hash(inOtherZone) != want {
		t.Error("the zone in which an instant is written changes the hash")
	}
	changes := map[string]func(*reconcile.PolicyVersion){
		"version":   func(v *reconcile.PolicyVersion) { v.Version = "uno" },
		"beginning": func(v *reconcile.PolicyVersion) { v.EffectiveFrom = v.EffectiveFrom.Add(1) },
		"window":    func(v *reconcile.PolicyVersion) { v.RefundWindow++ },
		"review":    func(v *reconcile.PolicyVersion) { v.ReviewBusinessDays++ },
		"calendar":  func(v *reconcile.PolicyVersion) { v.HolidayCalendar = "none" },
		"fees":      func(v *reconcile.PolicyVersion) { v.OtherFeesWithheld = []string{"application_fee"} },
	}
	ruleChanges := map[string]func(*reconcile.FailureRule){
		"rule name":      func(r *reconcile.FailureRule) { r.Name = "machine" },
		"rule class":     func(r *reconcile.FailureRule) { r.Class = reconcile.FailureUser },
		"rule reason":    func(r *reconcile.FailureRule) { r.Reason += "!" },
		"another code":   func(r *reconcile.FailureRule) { r.Codes = append(r.Codes, "138") },
		"a code less":    func(r *reconcile.FailureRule) { r.Codes = r.Codes[1:] },
		"pattern order":  func(r *reconcile.FailureRule) { r.Patterns[0], r.Patterns[1] = r.Patterns[1], r.Patterns[0] },
		"pattern prefix": func(r *reconcile.FailureRule) { r.Patterns[0] += "*" },
	}
	for name, change := range ruleChanges {
		changes[name] = func(v *reconcile.PolicyVersion) {
			rules := v.Failures.Rules()
			change(&rules[1])
			v.Failures = table(t, rules...)
		}
	}
	seen := map[string]string{want: "nothing"}
	for name, change := range changes {
		v := base()
		change(&v)
		got := hash(v)
		if other, taken := seen[got]; taken {
			t.Errorf("changing %s gives the hash of changing %s", name, other)
		}
		seen[got] = name
	}
}

func TestClauses(t *testing.T) {
	var ids []string
	for _, c := range reconcile.Clauses() {
		ids = append(ids, c.ID)
		if c.Text == "" || strings.Contains(c.Text, "@") {
			t.Errorf("clause %s: text %q", c.ID, c.Text)
		}
		if got, ok := reconcile.ClauseByID(c.ID); !ok || got != c {
			t.Errorf("clause %s is found as %+v", c.ID, got)
		}
	}
	if got := strings.Join(ids, " "); got != "1 2 2.1 2.2 2.3 3 3.1 3.2 4 4.1 4.2 4.3 5 5.1 5.2 6 7" {
		t.Error(got)
	}
	if _, ok := reconcile.ClauseByID("2.4"); ok {
		t.Error("there is a clause 2.4")
	}
}
