package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/sql"
)

// What ARCHITECTURE.md says of steps and tables is so: the steps in their order, each with tables that statements of its package insert into, and
// no such table left out; and the files that it names are there.
func TestArchitectureIsAsItSays(t *testing.T) {
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	inserts := regexp.MustCompile(`INSERT INTO (?:reconciler|"platform")\.([a-z_]+)`)
	name := regexp.MustCompile(`"([a-z_]+/[a-z_0-9]+)"`)
	// written are the tables that statements named in a folder's files insert into.
	written := func(folder string) (tables []string) {
		files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", folder, len(files), err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range name.FindAllStringSubmatch(string(source), -1) {
				if slices.Contains(catalog.Names(), match[1]) {
					for _, table := range inserts.FindAllStringSubmatch(catalog.Statement(match[1]).Text, -1) {
						tables = append(tables, table[1])
					}
				}
			}
		}
		return tables
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	var steps []string
	said, done := map[string][]string{}, map[string][]string{} // by package: the tables that it writes, as the page has it and as its statements do
	for _, row := range regexp.MustCompile(`(?m)^\| (\S+) \| ([^|]+) \| [^|]+ \| ([^|]+) \|$`).FindAllStringSubmatch(string(page), -1) {
		step, code, writes := row[1], row[2], row[3]
		if !strings.Contains(code, "`") {
			continue // the heading
		}
		steps = append(steps, step)
		var tables []string
		for _, of := range quoted.FindAllStringSubmatch(code, -1) {
			folder, _, isStep := strings.Cut(of[1], ".")
			if isStep {
				folder = "jobs/" + folder
			} else {
				folder = "reconcile/" + folder
			}
			done[folder] = written(folder)
			said[folder] = append(said[folder], writes)
			tables = append(tables, done[folder]...)
		}
		for _, table := range quoted.FindAllStringSubmatch(writes, -1) {
			if several := strings.HasSuffix(table[1], "*"); !several && !slices.Contains(tables, table[1]) {
				t.Errorf("%s: nothing in %s writes %s", step, code, table[1])
			}
		}
	}
	also := regexp.MustCompile(`(?m)^Every step also writes(.+\n)+`).FindString(string(page))
	for folder, tables := range done {
		for _, table := range tables {
			if !strings.HasPrefix(table, "stripe_") && !strings.Contains(strings.Join(append(said[folder], also), ""), "`"+table+"`") {
				t.Errorf("%s writes %s, and no step of it says so", folder, table)
			}
		}
	}
	if want := append([]string{"(open)"}, jobs.Names()...); !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
	for _, file := range quoted.FindAllStringSubmatch(string(page), -1) {
		if !regexp.MustCompile(`^[a-z_]+(/[a-zA-Z_]+)+\.(go|sql|md)$`).MatchString(file[1]) || strings.Contains(file[1], "NAME") {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, file[1])); err != nil {
			t.Error(err)
		}
	}
}
