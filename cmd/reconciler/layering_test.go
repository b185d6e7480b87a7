package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/hummingbytes/reconciler"

// imports are what each file of the module imports, by its path in it.
func moduleImports(t testing.TB) map[string][]string {
	t.Helper()
	root := filepath.Join("..", "..")
	imports := map[string][]string{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if entry.IsDir() {
			if name == "deploy" || strings.HasPrefix(entry.Name(), ".") && name != "." || entry.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		if folder := path.Base(path.Dir(name)); parsed.Name.Name != folder && parsed.Name.Name != folder+"_test" && path.Dir(name) != "cmd/reconciler" {
			t.Errorf("%s is of package %s: on the systems that it is for, nothing would build", name, parsed.Name)
		}
		imports[name] = nil
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports[name] = append(imports[name], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(imports) < 50 {
		t.Fatalf("only %d files were found", len(imports))
	}
	return imports
}

// inside is a package's place in the module, for those that are in it.
func inside(imported string) (name string, ok bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// What each package may import of the module. Dependencies point inwards: cmd, jobs, adapters, core.
var mayImport = map[string][]string{
	"reconcile":                       {},
	"reconcile/accounting":            {"reconcile"},
	"reconcile/numbers":               {"reconcile"},
	"reconcile/calendar":              {"reconcile"},
	"reconcile/policyfile":            {"reconcile", "reconcile/calendar"},
	"reconcile/postgres":              {"reconcile", "sql"},
	"reconcile/stripefeed":            {"reconcile", "reconcile/postgres"},
	"reconcile/stripefeed/stripetest": {"reconcile"},
	"sql":                             {},
	"sql/localpg":                     {},
	"sql/testdb":                      {"sql", "sql/localpg"},
	"reports/storage":                 {"reconcile"},
	"reports/terminal":                {"reconcile/numbers"},
	"reports/tables":                  {"reconcile", "reconcile/numbers"},
	"reports/journal":                 {"reconcile", "reconcile/accounting", "reconcile/numbers", "reports/tables"},
	"reports/figures":                 {"reconcile", "reconcile/numbers", "reports/tables"},
	"reports/pages":                   {"reconcile", "reconcile/numbers", "reports/tables", "reports/figures"},
	"reports/workbook":                {"reconcile", "reconcile/numbers", "reports/tables", "reports/figures"},
	"reports":                         {"reconcile", "reconcile/numbers", "reports/storage", "reports/tables", "reports/figures", "reports/pages", "reports/workbook"},
	"reports/month":                   {"reconcile", "reconcile/accounting", "reconcile/numbers", "reports", "reports/storage", "reports/tables", "reports/figures", "reports/pages", "reports/workbook", "reports/journal"},
	"reports/reportstest":             {},
	"jobs/night":                      {"reconcile", "reconcile/accounting", "reconcile/numbers", "reconcile/postgres"},
	"jobs/source":                     {"reconcile", "reconcile/numbers", "reconcile/postgres", "sql", "jobs/night"},
	"jobs/match":                      {"reconcile", "reconcile/numbers", "reconcile/calendar", "reconcile/postgres", "reconcile/stripefeed", "jobs/night", "jobs/source"},
	"jobs/decide":                     {"reconcile", "reconcile/numbers", "reconcile/calendar", "reconcile/postgres", "jobs/night", "jobs/source"},
	"jobs/books":                      {"reconcile", "reconcile/accounting", "reconcile/numbers", "reconcile/postgres", "reconcile/stripefeed", "jobs/night", "jobs/source"},
	"jobs/publish":                    {"reconcile", "reconcile/accounting", "reconcile/numbers", "reconcile/postgres", "reconcile/stripefeed", "reports", "reports/storage", "reports/tables", "reports/figures", "reports/pages", "reports/journal", "jobs/night"},
	"jobs/refunds":                    {"reconcile", "reconcile/numbers", "reconcile/postgres", "reconcile/stripefeed", "jobs/night"},
	"jobs": {"reconcile", "reconcile/numbers", "reconcile/postgres", "reconcile/stripefeed", "reports", "reports/storage", "reports/terminal", "sql",
		"jobs/night", "jobs/source", "jobs/match", "jobs/decide", "jobs/books", "jobs/publish", "jobs/refunds"},
	"jobs/explain":    {"reconcile", "reconcile/numbers", "reconcile/postgres", "reports/figures", "reports/terminal"},
	"jobs/desk":       {"reconcile", "reconcile/numbers", "reconcile/postgres", "reports/storage", "reports/terminal", "reports/figures", "reports/pages", "jobs", "jobs/night", "jobs/explain"},
	"jobs/morning":    {"reconcile", "reconcile/numbers", "reconcile/postgres", "reports/figures", "reports/terminal"},
	"jobs/month":      {"reconcile", "reconcile/accounting", "reconcile/numbers", "reconcile/postgres", "reports", "reports/storage", "reports/tables", "reports/figures", "reports/journal", "reports/month", "jobs", "jobs/night", "jobs/publish"},
	"jobs/simulation": {"reconcile", "reconcile/calendar", "reconcile/stripefeed/stripetest"},
	"jobs/faultlab":   {},
	"jobs/lives":      {},
	// Commands may import all that lies further in; of one another:
	"cmd/reconciler/cli":                      {},
	"cmd/reconciler/check":                    {"cmd/reconciler/cli"},
	"cmd/reconciler/wiring":                   {"cmd/reconciler/cli", "cmd/reconciler/check"},
	"cmd/reconciler/breaks":                   {"cmd/reconciler/cli", "cmd/reconciler/wiring"},
	"cmd/reconciler/serve":                    {"cmd/reconciler/cli", "cmd/reconciler/check", "cmd/reconciler/wiring"},
	"cmd/reconciler/demo":                     {"cmd/reconciler/cli", "cmd/reconciler/wiring"},
	"cmd/reconciler/bench":                    {"cmd/reconciler/cli", "cmd/reconciler/demo", "cmd/reconciler/wiring"},
	"reconcile/stripefeed/stripetest/openapi": {},
}

func TestDependenciesPointInwards(t *testing.T) {
	for file, imports := range moduleImports(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		folder := path.Dir(file)
		allowed, known := mayImport[folder]
		if !known {
			if folder != "cmd/reconciler" { // which has it all
				t.Errorf("%s: nobody has said what this package may import", folder)
			}
			continue
		}
		for _, imported := range imports {
			name, ours := inside(imported)
			if !ours {
				continue
			}
			ok := slices.Contains(allowed, name)
			if inner := strings.HasPrefix(folder, "cmd/") && !strings.HasPrefix(name, "cmd/"); !ok && !inner {
				t.Errorf("%s imports %s, which lies further out", file, imported)
			}
		}
	}
}

func TestCoreImportsTheStandardLibraryOnly(t *testing.T) {
	forbidden := map[string]string{"net": "I/O", "net/http": "I/O", "os": "I/O", "io/fs": "I/O", "log": "logging", "log/slog": "logging", "database/sql": "I/O", "os/exec": "I/O", "math/rand": "chance", "math/rand/v2": "chance", "crypto/rand": "chance"}
	files := 0
	for file, imports := range moduleImports(t) {
		if folder := path.Dir(file); folder != "reconcile" && folder != "reconcile/accounting" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		files++
		for _, imported := range imports {
			if !standard(imported) && imported != module+"/reconcile" {
				t.Errorf("%s imports %s: the core knows the standard library only", file, imported)
			}
			if what, no := forbidden[imported]; no {
				t.Errorf("%s imports %s: the core does no %s", file, imported, what)
			}
		}
		for _, use := range usesOf(t, file, "time") {
			if slices.Contains([]string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker", "Local"}, use) {
				t.Errorf("%s uses time.%s: the core has no clock, and no time zone of the machine", file, use)
			}
		}
	}
	if files == 0 {
		t.Error("the core has no files")
	}
}

// usesOf are the names of a package that a file of the module uses.
func usesOf(t testing.TB, file, pkg string) (names []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	local := pkg
	for _, spec := range parsed.Imports {
		if spec.Path.Value == strconv.Quote(pkg) && spec.Name != nil {
			local = spec.Name.Name
		}
	}
	ast.Inspect(parsed, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && x.Name == local {
				names = append(names, selector.Sel.Name)
			}
		}
		return true
	})
	return names
}

// A package that needs more files than one sees at a glance is more than one package.
func TestPackagesStaySmall(t *testing.T) {
	const most = 15
	files := map[string]int{}
	for file := range moduleImports(t) {
		if !strings.HasSuffix(file, "_test.go") {
			files[path.Dir(file)]++
		}
	}
	for folder, count := range files {
		if count > most {
			t.Errorf("%s has %d files, of at most %d", folder, count, most)
		}
	}
}

// What plays, doubles or tests must not get into what an operator runs, the demo and the bench aside.
func TestDoublesStayOutOfProduction(t *testing.T) {
	doubles := []string{"sql/testdb", "sql/localpg", "jobs/simulation", "reconcile/stripefeed/stripetest", "jobs/faultlab", "jobs/lives", "reports/reportstest"}
	foreign := []string{"testing", "github.com/stripe/stripe-mock", "github.com/getkin/kin-openapi", "github.com/johannesboyne/gofakes3", "pgregory.net/rapid", "github.com/rogpeppe/go-internal", "github.com/google/go-cmp"}
	for file, imports := range moduleImports(t) {
		shows := path.Dir(file) == "cmd/reconciler/demo" || path.Dir(file) == "cmd/reconciler/bench"
		double := false
		for _, d := range doubles {
			double = double || strings.HasPrefix(file, d+"/")
		}
		if strings.HasSuffix(file, "_test.go") || double || shows {
			continue
		}
		for _, imported := range imports {
			if name, ours := inside(imported); ours {
				for _, d := range doubles {
					if name == d || strings.HasPrefix(name, d+"/") {
						t.Errorf("%s imports %s, which is for tests, the demo and the bench", file, imported)
					}
				}
			}
			for _, f := range foreign {
				if imported == f || strings.HasPrefix(imported, f+"/") {
					t.Errorf("%s imports %s, which is for tests", file, imported)
				}
			}
		}
	}
}
