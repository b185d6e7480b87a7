package policyfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/calendar"
)

// Bounds on what one file may hold. Aliases could otherwise make little text into a lot of policy.
const (
	maxVersions   = 200
	maxRules      = 2_000  // in one failure table
	maxTableItems = 20_000 // codes and patterns in one failure table
	maxFaults     = 100    // named; the others are counted
)

// Parse reads a policy from the text of a file of this name. The error is a Faults.
func Parse(name string, data []byte) (reconcile.Policies, error) {
	p := &parser{file: name, tables: make(map[*yaml.Node]reconcile.FailureTable)}
	if policies, ok := p.policies(data); ok && len(p.faults) == 0 {
		return policies, nil
	}
	slices.SortStableFunc(p.faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	if p.unnamed > 0 {
		p.faults = append(p.faults, Fault{File: name, Line: p.faults[len(p.faults)-1].Line, Problem: fmt.Sprintf("and %d more faults", p.unnamed)})
	}
	return reconcile.Policies{}, p.faults
}

// parser walks the nodes of one file and gathers its faults. Where it returns ok false, a fault was noted.
type parser struct {
	file   string
	faults Faults
	// unnamed counts the faults beyond maxFaults.
	unnamed int
	// tables remembers failure tables by node: an alias shares its anchor's, and its faults.
	tables map[*yaml.Node]reconcile.FailureTable
}

func (p *parser) fault(line int, format string, args ...any) {
	if len(p.faults) == maxFaults {
		p.unnamed++
		return
	}
	p.faults = append(p.faults, Fault{File: p.file, Line: max(line, 1), Problem: fmt.Sprintf(format, args...)})
}

func (p *parser) policies(data []byte) (reconcile.Policies, bool) {
	if len(data) > MaxFileBytes {
		p.fault(1, "the file has more than %d bytes", MaxFileBytes)
		return reconcile.Policies{}, false
	}
	root, ok := p.document(data)
	if !ok {
		return reconcile.Policies{}, false
	}
	fields, ok := p.mapping(root, "the file", "versions")
	if !ok {
		return reconcile.Policies{}, false
	}
	list, ok := p.required(root, fields, "the file", "versions")
	if !ok {
		return reconcile.Policies{}, false
	}
	items, ok := p.sequence(list, "versions")
	if !ok {
		return reconcile.Policies{}, false
	}
	if len(items) == 0 || len(items) > maxVersions {
		p.fault(list.Line, "versions: has %d entries, must have 1 to %d", len(items), maxVersions)
		return reconcile.Policies{}, false
	}
	return p.link(items)
}

// document returns the one document of the file.
func (p *parser) document(data []byte) (*yaml.Node, bool) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		p.fault(1, "the file is empty")
		return nil, false
	case err != nil:
		p.yamlFault(err)
		return nil, false
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		p.fault(second.Line, "a second document begins here; a policy file has one")
		return nil, false
	case !errors.Is(err, io.EOF):
		p.yamlFault(err)
		return nil, false
	}
	return resolve(doc.Content[0]), true
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (p *parser) yamlFault(err error) {
	text, line := err.Error(), 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	p.fault(line, "not valid YAML: %s", text)
}

// link reads the versions and chains them in time.
func (p *parser) link(items []*yaml.Node) (reconcile.Policies, bool) {
	versions := make([]reconcile.PolicyVersion, 0, len(items))
	names := make(map[string]int, len(items))
	var previous *reconcile.PolicyVersion
	for i, item := range items {
		v, lines, ok := p.version(item)
		if other, taken := names[v.Version]; taken && v.Version != "" {
			p.fault(lines["version"], "version: %q is the name of the version on line %d already", v.Version, other)
		} else if v.Version != "" {
			names[v.Version] = lines["version"]
		}
		if previous != nil && !previous.EffectiveFrom.IsZero() && !v.EffectiveFrom.IsZero() {
			if err := reconcile.CheckSuccession(*previous, v); err != nil {
				p.fault(lines["effective_from"], "effective_from: %s", err)
			}
		}
		if i == len(items)-1 && !v.EffectiveTo.IsZero() {
			p.fault(lines["effective_to"], "effective_to: no version follows the last one: leave its end out")
		}
		if ok {
			versions = append(versions, v)
		}
		previous = &v
	}
	if len(p.faults) > 0 {
		return reconcile.Policies{}, false
	}
	policies, err := reconcile.NewPolicies(versions)
	if err != nil {
		// Whatever the checks above don't know the line of.
		p.fault(items[0].Line, "%s", err)
		return reconcile.Policies{}, false
	}
	return policies, true
}

// version reads one entry of versions; lines tells where each of its keys' values stand.
func (p *parser) version(n *yaml.Node) (v reconcile.PolicyVersion, lines map[string]int, ok bool) {
	before := len(p.faults)
	lines = make(map[string]int)
	fields, ok := p.mapping(n, "version", "version", "effective_from", "effective_to", "refund_window", "review_business_days", "holiday_calendar", "other_fees_withheld", "failures")
	if !ok {
		return v, lines, false
	}
	for key, value := range fields {
		lines[key] = value.Line
	}
	v.Version, _ = p.text(n, fields, "version", "version")
	if from, ok := p.text(n, fields, "version", "effective_from"); ok {
		v.EffectiveFrom = p.instant(lines["effective_from"], "effective_from", from)
	}
	if fields["effective_to"] != nil {
		if to, ok := p.text(n, fields, "version", "effective_to"); ok {
			v.EffectiveTo = p.instant(lines["effective_to"], "effective_to", to)
		}
	}
	if !v.EffectiveTo.IsZero() && !v.EffectiveFrom.IsZero() && !v.EffectiveTo.After(v.EffectiveFrom) {
		p.fault(lines["effective_to"], "effective_to: must be after effective_from")
	}
	v.RefundWindow = p.refundWindow(n, fields)
	v.ReviewBusinessDays = p.reviewDays(n, fields)
	if name, ok := p.text(n, fields, "version", "holiday_calendar"); ok {
		if _, err := calendar.ByName(name); err != nil {
			p.fault(lines["holiday_calendar"], "holiday_calendar: %s", err)
		}
		v.HolidayCalendar = name
	}
	v.OtherFeesWithheld = p.otherFees(fields)
	if list, ok := p.required(n, fields, "version", "failures"); ok {
		v.Failures = p.failureTable(list)
	}
	return v, lines, len(p.faults) == before
}

func (p *parser) instant(line int, key, text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		p.fault(line, "%s: %q is not an instant with its zone, as in 2026-01-01T00:00:00Z", key, text)
		return time.Time{}
	}
	if t.Year() < 1970 || t.Year() > 9999 {
		p.fault(line, "%s: %q is not in the years 1970 to 9999", key, text)
		return time.Time{}
	}
	return t.UTC()
}

func (p *parser) refundWindow(n *yaml.Node, fields map[string]*yaml.Node) time.Duration {
	text, ok := p.text(n, fields, "version", "refund_window")
	if !ok {
		return 0
	}
	line := fields["refund_window"].Line
	d, err := time.ParseDuration(text)
	if err != nil {
		p.fault(line, "refund_window: %q is not a duration in hours, minutes and seconds; 7 days are 168h", text)
		return 0
	}
	if d <= 0 || d > reconcile.MaxRefundWindow {
		p.fault(line, "refund_window: %s must be above 0 and at most %s", text, reconcile.MaxRefundWindow)
	}
	return d
}

func (p *parser) reviewDays(n *yaml.Node, fields map[string]*yaml.Node) int {
	text, ok := p.text(n, fields, "version", "review_business_days")
	if !ok {
		return 0
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 1 || days > reconcile.MaxReviewBusinessDays {
		p.fault(fields["review_business_days"].Line, "review_business_days: %q is not a number from 1 to %d", text, reconcile.MaxReviewBusinessDays)
		return 0
	}
	return days
}

func (p *parser) otherFees(fields map[string]*yaml.Node) []string {
	kinds, lines := p.textList(fields, "other_fees_withheld")
	for i := range kinds {
		if err := reconcile.CheckOtherFeesWithheld(kinds, i); err != nil {
			p.fault(lines[i], "other_fees_withheld: %s", err)
		}
	}
	return kinds
}

func (p *parser) failureTable(list *yaml.Node) reconcile.FailureTable {
	if table, known := p.tables[list]; known {
		return table
	}
	table := p.readFailureTable(list)
	p.tables[list] = table
	return table
}

func (p *parser) readFailureTable(list *yaml.Node) reconcile.FailureTable {
	items, ok := p.sequence(list, "failures")
	if !ok {
		return reconcile.FailureTable{}
	}
	if len(items) > maxRules {
		p.fault(list.Line, "failures: has %d rules, may have %d", len(items), maxRules)
		return reconcile.FailureTable{}
	}
	before, tableItems := len(p.faults), 0
	rules := make([]reconcile.FailureRule, 0, len(items))
	places := make([]rulePlaces, 0, len(items))
	for _, item := range items {
		rule, place := p.failureRule(item)
		if tableItems += len(rule.Codes) + len(rule.Patterns); tableItems > maxTableItems {
			p.fault(item.Line, "failures: more than %d codes and patterns", maxTableItems)
			return reconcile.FailureTable{}
		}
		rules, places = append(rules, rule), append(places, place)
	}
	if len(p.faults) > before {
		return reconcile.FailureTable{}
	}
	table, err := reconcile.NewFailureTable(rules)
	var faults reconcile.FailureFaults
	if errors.As(err, &faults) {
		for _, f := range faults {
			line := list.Line
			if f.Rule >= 0 {
				line = places[f.Rule].line(f)
			}
			p.fault(line, "%s", f.Problem)
		}
	} else if err != nil {
		p.fault(list.Line, "failures: %s", err)
	}
	return table
}

// rulePlaces are the lines of a row, of its fields, and of the items of its lists.
type rulePlaces struct {
	row    int
	fields map[string]*yaml.Node
	items  map[string][]int
}

// line is where a fault of the row stands.
func (r rulePlaces) line(f reconcile.FailureFault) int {
	if f.Item >= 0 {
		return r.items[f.Field][f.Item]
	}
	if n := r.fields[f.Field]; n != nil {
		return n.Line
	}
	return r.row
}

func (p *parser) failureRule(n *yaml.Node) (rule reconcile.FailureRule, places rulePlaces) {
	places = rulePlaces{row: n.Line, items: make(map[string][]int)}
	fields, ok := p.mapping(n, "failure rule", "name", "class", "reason", "codes", "patterns")
	if !ok {
		return rule, places
	}
	places.fields = fields
	rule.Name, _ = p.text(n, fields, "failure rule", "name")
	class, _ := p.text(n, fields, "failure rule", "class")
	rule.Class = reconcile.FailureClass(class)
	rule.Reason, _ = p.text(n, fields, "failure rule", "reason")
	rule.Codes, places.items["codes"] = p.textList(fields, "codes")
	rule.Patterns, places.items["patterns"] = p.textList(fields, "patterns")
	return rule, places
}

// textList reads an optional list of scalars and their lines.
func (p *parser) textList(fields map[string]*yaml.Node, key string) (texts []string, lines []int) {
	n := fields[key]
	if n == nil {
		return nil, nil
	}
	items, ok := p.sequence(n, key)
	if !ok {
		return nil, nil
	}
	for _, item := range items {
		if !isText(item) {
			p.fault(item.Line, "%s: every entry must be a text", key)
			continue
		}
		texts, lines = append(texts, item.Value), append(lines, item.Line)
	}
	return texts, lines
}

// mapping reads a node's keys. Unknown keys, keys given twice and merge keys are faults.
func (p *parser) mapping(n *yaml.Node, what string, known ...string) (map[string]*yaml.Node, bool) {
	if n.Kind != yaml.MappingNode {
		p.fault(n.Line, "%s: must have the keys %s", what, strings.Join(known, ", "))
		return nil, false
	}
	fields := make(map[string]*yaml.Node, len(known))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
			p.fault(key.Line, "%s: unknown key %q; known are %s", what, key.Value, strings.Join(known, ", "))
		case fields[key.Value] != nil:
			p.fault(key.Line, "%s: key %q is given twice", what, key.Value)
		default:
			fields[key.Value] = value
		}
	}
	return fields, true
}

func (p *parser) sequence(n *yaml.Node, what string) ([]*yaml.Node, bool) {
	if n.Kind != yaml.SequenceNode {
		p.fault(n.Line, "%s: must be a list", what)
		return nil, false
	}
	items := make([]*yaml.Node, 0, len(n.Content))
	for _, item := range n.Content {
		items = append(items, resolve(item))
	}
	return items, true
}

func (p *parser) required(parent *yaml.Node, fields map[string]*yaml.Node, what, key string) (*yaml.Node, bool) {
	n := fields[key]
	if n == nil {
		p.fault(parent.Line, "%s: key %q is missing", what, key)
	}
	return n, n != nil
}

// text reads a required scalar; an empty one is a fault.
func (p *parser) text(parent *yaml.Node, fields map[string]*yaml.Node, what, key string) (string, bool) {
	n, ok := p.required(parent, fields, what, key)
	if !ok {
		return "", false
	}
	if !isText(n) || strings.TrimSpace(n.Value) == "" {
		p.fault(n.Line, "%s: key %q must have a value", what, key)
		return "", false
	}
	return n.Value, true
}

func isText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" }

// resolve follows an alias to what its anchor names.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}
