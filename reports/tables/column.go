package tables

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
)

// ColumnType says how a column's values are written.
type ColumnType int

// What there is in a column.
const (
	TextColumn ColumnType = iota
	NumberColumn
	DateColumn
	TimeColumn
	BoolColumn
)

// Column is one column of a row type.
type Column struct {
	Name   string // in the file
	Field  []int  // of the row type: its index
	Kind   ColumnType
	Money  int  // the column that holds the amount's unit, as an index into columns; -1: none
	Total  bool // adding the column up means something
	inFile bool
}

// Columns are the columns of a row type, in the order of its fields.
type Columns []Column

// ColumnsOf reads the columns off a row type's tags. A row type that says something impossible is a programming error.
func ColumnsOf[T any]() Columns {
	rowType := reflect.TypeFor[T]()
	var all Columns
	for _, field := range reflect.VisibleFields(rowType) {
		if field.Anonymous {
			continue // its own fields are columns
		}
		c := Column{Name: field.Tag.Get("db"), Field: field.Index, Money: -1, Total: field.Tag.Get("total") != "", inFile: true}
		switch field.Tag.Get("csv") {
		case "":
		case "-":
			c.inFile = false
		default:
			c.Name = field.Tag.Get("csv")
		}
		if c.Name == "" {
			panic(fmt.Sprintf("reports: %s.%s: no column name", rowType, field.Name))
		}
		switch reflect.New(field.Type).Interface().(type) {
		case *numbers.Number, *int64:
			c.Kind = NumberColumn
		case *reconcile.Date:
			c.Kind = DateColumn
		case *time.Time, *Moment:
			c.Kind = TimeColumn
		case *bool:
			c.Kind = BoolColumn
		default:
			if field.Type.Kind() != reflect.String {
				panic(fmt.Sprintf("reports: %s.%s: no column type for %s", rowType, field.Name, field.Type))
			}
		}
		all = append(all, c)
	}
	for i := range all {
		if unit := rowType.FieldByIndex(all[i].Field).Tag.Get("money"); unit != "" {
			all[i].Money = all.Index(unit)
		}
	}
	return all
}

// Index is the place of the column with that db name.
func (cs Columns) Index(name string) int {
	for i, c := range cs {
		if c.Name == name {
			return i
		}
	}
	panic("reports: no column " + name)
}

// fileHeader is the header row of the CSV file.
func (cs Columns) fileHeader() []string {
	var names []string
	for _, c := range cs {
		if c.inFile {
			names = append(names, c.Name)
		}
	}
	return names
}

// Text is the value's canonical text, the one that the CSV file shows but for defused formulas: appended to buf.
func (c Column) Text(buf []byte, row reflect.Value) []byte {
	field := row.FieldByIndex(c.Field)
	switch c.Kind {
	case NumberColumn:
		if field.Kind() == reflect.Int64 {
			return strconv.AppendInt(buf, field.Int(), 10)
		}
		return append(buf, field.String()...)
	case DateColumn:
		d := field.Addr().Interface().(*reconcile.Date)
		if d.IsZero() {
			return buf
		}
		return append(buf, d.String()...)
	case TimeColumn:
		t := Instant(field)
		if t.IsZero() {
			return buf
		}
		return t.UTC().AppendFormat(buf, timeLayout)
	case BoolColumn:
		return strconv.AppendBool(buf, field.Bool())
	default:
		return append(buf, field.String()...)
	}
}

// timeLayout is RFC 3339 in UTC; fractions of a second only where there are any.
const timeLayout = "2006-01-02T15:04:05.999999Z"

// Instant is the instant in a field of a time column.
func Instant(field reflect.Value) time.Time {
	switch v := field.Addr().Interface().(type) {
	case *time.Time:
		return *v
	case *Moment:
		return v.Time
	default:
		panic("reports: no instant: " + field.Type().String())
	}
}
