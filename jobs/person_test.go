package jobs_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestNamesOfPeople(t *testing.T) {
	for given, want := range map[string]string{
		"anna@example.com": "anna@example.com", "Ana Ruiz": "Ana Ruiz", "  Ana \u00a0 Ruiz\n": "Ana Ruiz", "Ａｎｎａ": "Anna", "Jose\u0301": "José",
		"山田太郎": "山田太郎", "Łukasz O'Neill-Żak (finance)": "Łukasz O'Neill-Żak (finance)", "Анна": "Анна", "bot 7": "bot 7",
	} {
		if got, fault := night.Person(given); got != want || fault != "" {
			t.Errorf("%q is %q, %s; want %q", given, got, fault, want)
		}
	}
	for given, want := range map[string]string{
		"": "is empty", " \t\n": "is empty", "an\u200bna": "U+200B", "anna\u00ad": "U+00AD", "an\u2060na": "U+2060", "\u202eanna": "U+202E", "anna\x00": "U+0000",
		"an\tna": "U+0009", "anna\ufe0f": "U+FE0F", "anna\U000e0041": "U+E0041", "anna\u3164": "U+3164", "anna\u2800": "U+2800", "an\u034fna": "U+034F", "a\u2066nna": "U+2066",
		"\xff": "not UTF-8", strings.Repeat("ü", 101): "101 characters", "-": "names nobody",
		"аnna": "Latin and Cyrillic", "ann\u03b1": "Latin and Greek", "reconciler": "worker's own", "Reconciler ": "worker's own", "ＲＥＣＯＮＣＩＬＥＲ": "worker's own", "recon ciler": "worker's own",
	} {
		if got, fault := night.Person(given); got != "" || !strings.Contains(fault, want) {
			t.Errorf("%q is %q: %q; want %q", given, got, fault, want)
		}
	}
}

func TestOnePersonUnderTwoNames(t *testing.T) {
	for _, name := range []string{"ANNA MARIA", "anna maria", "annamaria", "Anna\u00a0Maria", "Ａｎｎａ Maria", " Anna  Maria"} {
		if !night.SamePerson("Anna Maria", name) {
			t.Errorf("%q is not Anna Maria", name)
		}
	}
	if !night.SamePerson("Jose\u0301", "JOSÉ") || !night.SamePerson("Straße", "STRASSE") {
		t.Error("composition or case makes two people of one")
	}
	if night.SamePerson("anna", "ben") || night.SamePerson("\u200b", "\u200b") {
		t.Error("two people are one")
	}
}

// The database refuses what isn't legible as well: whoever writes to it directly can't be two people either.
func TestDatabaseRefusesInvisibleNames(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	makes := func(name string) error {
		tx := db.MustBegin()
		defer tx.Rollback()
		_, err := tx.Exec(`INSERT INTO reconciler.refund_plans (plan_id, plan_sha256, business_date, refunds, made_by, made_at)
			VALUES ('plan', repeat('0', 64), '2026-03-02', 1, $1, '2026-03-03Z')`, name)
		return err
	}
	tried := 0
	for r := rune(1); r < 0xe1000; r++ {
		if r >= 0xd800 && r < 0xe000 || r >= 0x20000 && r < 0xe0000 || unicode.Is(unicode.Co, r) {
			continue // no characters, or none that are invisible; private ones are whatever a font makes of them
		}
		if _, fault := night.Person("an" + string(r) + "na"); !strings.Contains(fault, "invisible") {
			continue
		}
		tried++
		if err := makes("an" + string(r) + "na"); !postgres.CheckViolation(err, "maker_is_legible") {
			t.Errorf("the database takes %U: %v", r, err)
		}
	}
	if tried < 400 {
		t.Errorf("%d characters were tried", tried)
	}
	for _, name := range []string{"anna@example.com", "Łukasz O'Neill-Żak", "山田太郎", "Anna Maria", "Анна", "نرگس", "नेहा"} {
		if err := makes(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
