// Package books closes a night's books: purchases booked, the liability rolled forward from entries and from lots, and the journal.
package books
