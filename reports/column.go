package reports

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

// columnType says how a column's values are written.
type columnType int

const (
	textColumn columnType = iota
	numberColumn
	dateColumn
	timeColumn
	boolColumn
)

// column is one column of a row type.
type column struct {
	name   string // in the file
	field  int
	kind   columnType
	money  int  // the column that holds the amount's unit, as an index into columns; -1: none
	total  bool // adding the column up means something
	inFile bool
}

// columns are the columns of a row type, in the order of its fields.
type columns []column

// columnsOf reads the columns off a row type's tags. A row type that says something impossible is a programming error.
func columnsOf[T any]() columns {
	rowType := reflect.TypeFor[T]()
	var all columns
	for i := range rowType.NumField() {
		field := rowType.Field(i)
		c := column{name: field.Tag.Get("db"), field: i, money: -1, total: field.Tag.Get("total") != "", inFile: true}
		switch field.Tag.Get("csv") {
		case "":
		case "-":
			c.inFile = false
		default:
			c.name = field.Tag.Get("csv")
		}
		switch reflect.New(field.Type).Interface().(type) {
		case *Number, *int64:
			c.kind = numberColumn
		case *reconcile.Date:
			c.kind = dateColumn
		case *time.Time, *Moment:
			c.kind = timeColumn
		case *bool:
			c.kind = boolColumn
		default:
			if field.Type.Kind() != reflect.String {
				panic(fmt.Sprintf("reports: %s.%s: no column type for %s", rowType, field.Name, field.Type))
			}
		}
		all = append(all, c)
	}
	for i := range all {
		if unit := rowType.Field(all[i].field).Tag.Get("money"); unit != "" {
			all[i].money = all.index(unit)
		}
	}
	return all
}

// index is the place of the column with that db name.
func (cs columns) index(name string) int {
	for i, c := range cs {
		if c.name == name {
			return i
		}
	}
	panic("reports: no column " + name)
}

// fileHeader is the header row of the CSV file.
func (cs columns) fileHeader() []string {
	var names []string
	for _, c := range cs {
		if c.inFile {
			names = append(names, c.name)
		}
	}
	return names
}

// text is the value's canonical text, the one that the CSV file shows but for defused formulas: appended to buf.
func (c column) text(buf []byte, row reflect.Value) []byte {
	field := row.Field(c.field)
	switch c.kind {
	case numberColumn:
		if field.Kind() == reflect.Int64 {
			return strconv.AppendInt(buf, field.Int(), 10)
		}
		return append(buf, field.String()...)
	case dateColumn:
		d := field.Addr().Interface().(*reconcile.Date)
		if d.IsZero() {
			return buf
		}
		return append(buf, d.String()...)
	case timeColumn:
		t := instant(field)
		if t.IsZero() {
			return buf
		}
		return t.UTC().AppendFormat(buf, timeLayout)
	case boolColumn:
		return strconv.AppendBool(buf, field.Bool())
	default:
		return append(buf, field.String()...)
	}
}

// timeLayout is RFC 3339 in UTC; fractions of a second only where there are any.
const timeLayout = "2006-01-02T15:04:05.999999Z"

func instant(field reflect.Value) time.Time {
	switch v := field.Addr().Interface().(type) {
	case *time.Time:
		return *v
	case *Moment:
		return v.Time
	default:
		panic("reports: no instant: " + field.Type().String())
	}
}
