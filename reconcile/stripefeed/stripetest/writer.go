package stripetest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// writer appends one JSON document, expanding references as the request asked.
type writer struct {
	buf    []byte
	books  *books
	now    time.Time
	expand *expansion
	comma  bool
}

// expansion is the tree of expand[] paths of a request.
type expansion struct {
	path     string
	children map[string]*expansion
	used     bool
}

// maxExpandDepth is Stripe's limit on the depth of an expand path.
const maxExpandDepth = 4

func parseExpansion(paths []string) (*expansion, *apiError) {
	root := &expansion{used: true}
	for _, path := range paths {
		steps := strings.Split(path, ".")
		if len(steps) > maxExpandDepth {
			return nil, invalidRequest("", "You cannot expand more than "+strconv.Itoa(maxExpandDepth)+" levels of a property (here: "+path+").", "expand")
		}
		node := root
		for i, step := range steps {
			if node.children == nil {
				node.children = map[string]*expansion{}
			}
			child := node.children[step]
			if child == nil {
				child = &expansion{path: strings.Join(steps[:i+1], ".")}
				node.children[step] = child
			}
			node = child
		}
	}
	return root, nil
}

// child is the subtree under a property, nil when it is not to be expanded.
func (e *expansion) child(name string) *expansion {
	if e == nil || e.children == nil {
		return nil
	}
	child := e.children[name]
	if child != nil {
		child.used = true
	}
	return child
}

// unused is the first path that met no expandable property.
func (e *expansion) unused() string {
	for _, name := range slices.Sorted(maps.Keys(e.children)) {
		child := e.children[name]
		if !child.used {
			return child.path
		}
		if path := child.unused(); path != "" {
			return path
		}
	}
	return ""
}

// touch marks the whole tree as used, for where a reference is null and nothing below it can be checked.
func (e *expansion) touch() {
	if e == nil {
		return
	}
	e.used = true
	for _, child := range e.children {
		child.touch()
	}
}

func (w *writer) open()  { w.separate(); w.buf = append(w.buf, '{'); w.comma = false }
func (w *writer) close() { w.buf = append(w.buf, '}'); w.comma = true }

func (w *writer) separate() {
	if w.comma {
		w.buf = append(w.buf, ',')
	}
	w.comma = false
}

func (w *writer) name(name string) {
	w.separate()
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, '"', ':')
}

func (w *writer) raw(name, value string) {
	w.name(name)
	w.buf = append(w.buf, value...)
	w.comma = true
}

func (w *writer) text(name, value string) {
	w.name(name)
	w.quoted(value)
}

// textOrNull writes null for the empty string.
func (w *writer) textOrNull(name, value string) {
	if value == "" {
		w.raw(name, "null")
		return
	}
	w.text(name, value)
}

func (w *writer) quoted(value string) {
	if isPlain(value) {
		w.buf = append(w.buf, '"')
		w.buf = append(w.buf, value...)
		w.buf = append(w.buf, '"')
	} else {
		quoted, _ := json.Marshal(value) // strings always marshal
		w.buf = append(w.buf, quoted...)
	}
	w.comma = true
}

func isPlain(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func (w *writer) number(name string, value int64) {
	w.name(name)
	w.buf = strconv.AppendInt(w.buf, value, 10)
	w.comma = true
}

func (w *writer) boolean(name string, value bool) { w.raw(name, strconv.FormatBool(value)) }

// instant writes Unix seconds, and null for the zero time.
func (w *writer) instant(name string, value time.Time) {
	if value.IsZero() {
		w.raw(name, "null")
		return
	}
	w.number(name, value.Unix())
}

func (w *writer) metadata(values map[string]string) {
	w.name("metadata")
	w.open()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		w.separate()
		w.quoted(key)
		w.buf = append(w.buf, ':')
		w.quoted(values[key])
	}
	w.close()
}

// head writes what all objects have: id, object, created.
func (w *writer) head(object string, o Object) {
	w.text("id", o.ID)
	w.text("object", object)
	w.number("created", o.Created.Unix())
}

// ref writes a reference: null, the id, or the object itself where the request expands it.
func (w *writer) ref(name, id string) {
	node := w.expand.child(name)
	if id == "" {
		node.touch()
		w.raw(name, "null")
		return
	}
	if node == nil {
		w.text(name, id)
		return
	}
	table := w.books.tableOf(id)
	if table == nil || table.byID[id] == nil {
		w.text(name, id)
		return
	}
	w.name(name)
	w.under(node, func() { table.byID[id].write(w) })
}

// under writes with another expansion subtree in force.
func (w *writer) under(node *expansion, write func()) {
	saved := w.expand
	w.expand = node
	write()
	w.expand = saved
	w.comma = true
}

// list writes a list object under name, with the subtree `name.data` in force for its rows.
func (w *writer) list(name, url string, hasMore bool, rows []record) {
	node := w.expand.child(name)
	w.name(name)
	w.open()
	w.text("object", "list")
	w.rows(node, rows)
	w.boolean("has_more", hasMore)
	w.text("url", url)
	w.close()
}

func (w *writer) rows(node *expansion, rows []record) {
	data := node.child("data")
	if len(rows) == 0 {
		data.touch()
	}
	w.name("data")
	w.buf = append(w.buf, '[')
	for _, row := range rows {
		w.separate()
		w.under(data, func() { row.write(w) })
	}
	w.buf = append(w.buf, ']')
	w.comma = true
}

// document renders a single object.
func (b *books) document(row record, expand *expansion, now time.Time) []byte {
	w := &writer{buf: make([]byte, 0, 2048), books: b, now: now, expand: expand}
	row.write(w)
	return w.buf
}
