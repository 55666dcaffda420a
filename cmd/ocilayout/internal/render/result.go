package render

import (
	"io"
	"iter"
	"reflect"
)

// A Table is one aligned block of text. Cells are escaped when written.
type Table struct {
	Title  string   // a line of its own above the block; may be empty
	Header []string // column titles; nil for none
	Rows   [][]string
}

// A Tabler is a result that people read as tables, written one after the other
// with an empty line between them.
type Tabler interface {
	Tables() []Table
}

// A Former is a result that writes itself in formats of its own, which its
// command names to [Parse].
type Former interface {
	Form(w io.Writer, format string) error
}

// Raw is a result of bytes that are written as they are, such as a blob. It is
// closed once written.
type Raw struct {
	io.ReadCloser
}

// A List is a result of many items, which need never be in memory at once.
type List[T any] struct {
	// Header has the titles of the table's columns.
	Header []string
	// Row makes a line of the table.
	Row func(T) []string
	// Items yields the items; an error ends it. JSON and templates show the item
	// itself.
	Items iter.Seq2[T, error]
}

// stream is a List of any type.
type stream interface {
	header() []string
	rows(yield func([]string) error) error
	itemized
}

// itemized is a result of many items: a List, or a slice.
type itemized interface {
	items(yield func(any) error) error
}

func itemize(result any) (itemized, bool) {
	if s, ok := result.(itemized); ok {
		return s, true
	}
	v := reflect.ValueOf(result)
	return slice{v}, v.Kind() == reflect.Slice
}

type slice struct{ reflect.Value }

func (s slice) items(yield func(any) error) error {
	for i := range s.Len() {
		if err := yield(s.Index(i).Interface()); err != nil {
			return err
		}
	}
	return nil
}

func (l List[T]) header() []string { return l.Header }

func (l List[T]) rows(yield func([]string) error) error {
	return l.each(func(item T) error { return yield(l.Row(item)) })
}

func (l List[T]) items(yield func(any) error) error {
	return l.each(func(item T) error { return yield(item) })
}

func (l List[T]) each(fn func(T) error) error {
	for item, err := range l.Items {
		if err != nil {
			return err
		}
		if err := fn(item); err != nil {
			return err
		}
	}
	return nil
}
