package stripetest

import (
	"cmp"
	"slices"
	"time"
)

// Object is what all Stripe objects have.
type Object struct {
	ID      string
	Created time.Time
	seq     int64 // breaks ties within a second, in the order of creation
}

func (o *Object) key() string     { return o.ID }
func (o *Object) created() int64  { return o.Created.Unix() }
func (o *Object) sequence() int64 { return o.seq }

// record is an object that can be stored, filtered and rendered.
type record interface {
	key() string
	created() int64
	sequence() int64
	// field is the value of a filterable property as a request would write it.
	field(name string, now time.Time) string
	write(w *writer)
}

// table keeps the objects of one kind, oldest first, with an index for each property that lists filter by often.
type table struct {
	object string // as in the property "object"
	noun   string // as in error messages
	url    string
	rows   []record
	byID   map[string]record
	index  map[string]map[string][]record
}

func newTable(object, noun, url string, indexed ...string) *table {
	t := &table{object: object, noun: noun, url: url, byID: map[string]record{}, index: map[string]map[string][]record{}}
	for _, field := range indexed {
		t.index[field] = map[string][]record{}
	}
	return t
}

func (t *table) add(row record) {
	t.rows = insert(t.rows, row)
	t.byID[row.key()] = row
	for field := range t.index {
		t.reindex(field, row)
	}
}

// reindex files the row under its present value of a field. Values are set once, so nothing is ever unfiled.
func (t *table) reindex(field string, row record) {
	if value := row.field(field, time.Time{}); value != "" {
		t.index[field][value] = insert(t.index[field][value], row)
	}
}

func insert(rows []record, row record) []record {
	if n := len(rows); n == 0 || compare(rows[n-1], row) < 0 {
		return append(rows, row)
	}
	at, _ := slices.BinarySearchFunc(rows, row, compare)
	return slices.Insert(rows, at, row)
}

func compare(a, b record) int {
	return cmp.Or(cmp.Compare(a.created(), b.created()), cmp.Compare(a.sequence(), b.sequence()))
}

func get[T any](t *table, id string) *T {
	row, _ := any(t.byID[id]).(*T)
	return row
}

// all lists a table's objects oldest first.
func all[T any](rows []record) []*T {
	objects := make([]*T, len(rows))
	for i, row := range rows {
		objects[i], _ = any(row).(*T)
	}
	return objects
}

// listing is a parsed list request.
type listing struct {
	equal         map[string]string
	ranges        map[string]span
	startingAfter record
	endingBefore  record
	limit         int
	hide          func(row record, now time.Time) bool // nil hides nothing
}

// span is a range of Unix seconds, both ends included.
type span struct{ from, to int64 }

func (s span) contains(value int64) bool { return s.from <= value && value <= s.to }

// page finds the rows of one page, newest first, without walking over what is before it.
func (t *table) page(l listing, now time.Time) (rows []record, hasMore bool) {
	candidates := t.rows
	for field, value := range l.equal {
		if index := t.index[field]; index != nil && len(index[value]) < len(candidates) {
			candidates = index[value]
		}
	}
	low, high := 0, len(candidates)
	if created, ok := l.ranges["created"]; ok {
		low, _ = slices.BinarySearchFunc(candidates, created.from, func(r record, from int64) int { return cmp.Compare(r.created(), from) })
		high, _ = slices.BinarySearchFunc(candidates, created.to, func(r record, to int64) int {
			if r.created() <= to {
				return -1
			}
			return 1
		})
	}
	if l.startingAfter != nil {
		at, _ := slices.BinarySearchFunc(candidates, l.startingAfter, compare)
		high = min(high, at)
	}
	if l.endingBefore != nil {
		at, found := slices.BinarySearchFunc(candidates, l.endingBefore, compare)
		if found {
			at++
		}
		low = max(low, at)
	}
	take := func(row record) bool {
		if !l.matches(row, now) {
			return true
		}
		if len(rows) == l.limit {
			hasMore = true
			return false
		}
		rows = append(rows, row)
		return true
	}
	if l.endingBefore != nil {
		for i := low; i < high && take(candidates[i]); i++ {
		}
		slices.Reverse(rows)
		return rows, hasMore
	}
	for i := high - 1; i >= low && take(candidates[i]); i-- {
	}
	return rows, hasMore
}

func (l listing) matches(row record, now time.Time) bool {
	if hidden(row) || l.hide != nil && l.hide(row, now) {
		return false
	}
	for field, value := range l.equal {
		if row.field(field, now) != value {
			return false
		}
	}
	for field, span := range l.ranges {
		if field != "created" && !span.contains(parseSeconds(row.field(field, now))) {
			return false
		}
	}
	return true
}
