package stripetest

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	defaultLimit = 10
	maxLimit     = 100
)

// rangeParams are the list parameters that take a range (created[gte] ...) or a value.
var rangeParams = []string{"arrival_date", "created", "current_period_end", "current_period_start", "due_date"}

// listOf lists a table: filters, `created` range, cursors, limit, expansion.
func listOf(permission string, from func(b *books) *table, filters ...string) *endpoint {
	return &endpoint{permission, func(b *books, _ string, form url.Values, now time.Time) ([]byte, bool, *apiError) {
		t := from(b)
		document, problem := b.list(t, t.url, form, filters, now)
		return document, problem == nil, problem
	}}
}

func (b *books) list(t *table, url string, form url.Values, filters []string, now time.Time) ([]byte, *apiError) {
	l, problem := b.parseList(t, form, filters)
	if problem != nil {
		return nil, problem
	}
	expand, problem := parseExpansion(expandPaths(form))
	if problem != nil {
		return nil, problem
	}
	if t == b.subscriptions {
		hideSubscriptions(&l)
	}
	rows, hasMore := t.page(l, now)
	return b.listDocument(rows, hasMore, url, expand, now)
}

// pageBuffers are the bytes of pages that were sent and that nothing keeps: a sync of years would otherwise measure
// the double's garbage.
var pageBuffers = sync.Pool{New: func() any { page := make([]byte, 0, 256<<10); return &page }}

func (b *books) listDocument(rows []record, hasMore bool, url string, expand *expansion, now time.Time) ([]byte, *apiError) {
	w := &writer{buf: (*pageBuffers.Get().(*[]byte))[:0], books: b, now: now}
	w.open()
	w.text("object", "list")
	w.rows(expand, rows)
	w.boolean("has_more", hasMore)
	w.text("url", url)
	w.close()
	if path := expand.unused(); path != "" {
		problem := cannotExpand(path)
		if !strings.HasPrefix(path, "data") {
			problem.message += " You may want to try expanding 'data." + path + "' instead."
		}
		return nil, problem
	}
	return w.buf, nil
}

// hideSubscriptions is the status filter of subscriptions: none hides canceled ones, all hides nothing, ended is two.
func hideSubscriptions(l *listing) {
	wanted, given := l.equal["status"]
	delete(l.equal, "status")
	l.hide = func(row record, now time.Time) bool {
		status := row.field("status", now)
		switch {
		case !given:
			return status == "canceled"
		case wanted == "all":
			return false
		case wanted == "ended":
			return status != "canceled" && status != "incomplete_expired"
		}
		return status != wanted
	}
}

func listInvoiceLines(b *books, id string, form url.Values, now time.Time) ([]byte, bool, *apiError) {
	inv := get[Invoice](b.invoices, id)
	if inv == nil || inv.deleted {
		return nil, true, noSuch("invoice", id, "invoice")
	}
	lines := &table{noun: "line item", byID: map[string]record{}, rows: inv.lines, index: map[string]map[string][]record{}}
	for _, line := range inv.lines {
		lines.byID[line.key()] = line
	}
	document, problem := b.list(lines, inv.linesURL(), form, nil, now)
	return document, true, problem
}

func listChargeRefunds(b *books, id string, form url.Values, now time.Time) ([]byte, bool, *apiError) {
	if b.charges.byID[id] == nil {
		return nil, true, noSuch("charge", id, "charge")
	}
	form = maps.Clone(form)
	form.Set("charge", id)
	document, problem := b.list(b.refunds, "/v1/charges/"+id+"/refunds", form, []string{"charge"}, now)
	return document, true, problem
}

func (b *books) parseList(t *table, form url.Values, filters []string) (listing, *apiError) {
	l := listing{equal: map[string]string{}, ranges: map[string]span{}, limit: defaultLimit}
	for _, param := range slices.Sorted(maps.Keys(form)) {
		value := form.Get(param)
		name, operator, isRange := strings.Cut(strings.TrimSuffix(param, "]"), "[")
		isAllowed := name == "created" || slices.Contains(filters, name)
		var problem *apiError
		switch {
		case name == "expand":
		case param == "limit":
			l.limit, problem = parseLimit(value)
		case param == "starting_after":
			l.startingAfter, problem = cursor(t, param, value)
		case param == "ending_before":
			l.endingBefore, problem = cursor(t, param, value)
		case isAllowed && slices.Contains(rangeParams, name):
			problem = l.addRange(name, operator, isRange, value)
		case isAllowed && !isRange:
			l.equal[name] = value
		default:
			problem = unknownParam(param)
		}
		if problem != nil {
			return l, problem
		}
	}
	if l.startingAfter != nil && l.endingBefore != nil {
		return l, invalidRequest("parameters_exclusive", "You may only specify one of these parameters: ending_before, starting_after.", "")
	}
	if id := l.equal["payout"]; id != "" {
		payout := get[Payout](b.payouts, id)
		if payout == nil {
			return l, noSuch("payout", id, "payout")
		}
		if !payout.Automatic {
			return l, invalidRequest("", "Balance transaction history can only be filtered on automatic transfers, not manual.", "payout")
		}
	}
	return l, nil
}

func (l *listing) addRange(name, operator string, isRange bool, value string) *apiError {
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return invalidRequest("parameter_invalid_integer", "Invalid integer: "+value, name)
	}
	within, ok := l.ranges[name]
	if !ok {
		within = span{math.MinInt64, math.MaxInt64}
	}
	switch {
	case !isRange:
		within = span{seconds, seconds}
	case operator == "gte":
		within.from = max(within.from, seconds)
	case operator == "gt":
		within.from = max(within.from, seconds+1)
	case operator == "lte":
		within.to = min(within.to, seconds)
	case operator == "lt":
		within.to = min(within.to, seconds-1)
	default:
		return unknownParam(name + "[" + operator + "]")
	}
	l.ranges[name] = within
	return nil
}

func parseLimit(value string) (int, *apiError) {
	limit, err := strconv.Atoi(value)
	switch {
	case err != nil:
		return 0, invalidRequest("parameter_invalid_integer", "Invalid integer: "+value, "limit")
	case limit > maxLimit:
		return 0, invalidRequest("parameter_invalid_integer", fmt.Sprintf("This value must be less than or equal to %d (it currently is '%d').", maxLimit, limit), "limit")
	case limit < 1:
		return 0, invalidRequest("parameter_invalid_integer", fmt.Sprintf("This value must be greater than or equal to 1 (it currently is '%d').", limit), "limit")
	}
	return limit, nil
}

func cursor(t *table, param, id string) (record, *apiError) {
	if row := t.byID[id]; row != nil && !isDeleted(row) {
		return row, nil
	}
	problem := noSuch(t.noun, id, param)
	problem.status = 400
	return nil, problem
}

func unknownParam(param string) *apiError {
	return invalidRequest("parameter_unknown", "Received unknown parameter: "+param, param)
}

// onlyParams allows expand and the named parameters.
func onlyParams(form url.Values, allowed ...string) *apiError {
	for _, param := range slices.Sorted(maps.Keys(form)) {
		name, _, _ := strings.Cut(param, "[")
		if name != "expand" && !slices.Contains(allowed, name) {
			return unknownParam(param)
		}
	}
	return nil
}

// expandPaths collects expand[]=a, expand[0]=a and expand=a.
func expandPaths(form url.Values) []string {
	var paths []string
	for _, param := range slices.Sorted(maps.Keys(form)) {
		if name, _, _ := strings.Cut(param, "["); name == "expand" {
			paths = append(paths, form[param]...)
		}
	}
	return paths
}

func parseSeconds(value string) int64 {
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return math.MinInt64
	}
	return seconds
}
