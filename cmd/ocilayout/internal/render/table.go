package render

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"
)

// alignRows is how many rows of a list are looked at before the first is
// written. Their widest cells make the columns; a wider one that comes later
// widens its column from there on.
const alignRows = 512

// A tableWriter writes rows in aligned columns, holding at most alignRows.
type tableWriter struct {
	w      *bufio.Writer
	held   [][]string
	widths []int
}

// add writes or holds a row, whose cells it escapes in place.
func (t *tableWriter) add(row []string) error {
	for i, cell := range row {
		row[i] = Escape(cell)
	}
	if t.held == nil && len(t.widths) > 0 {
		t.widen(row)
		return t.write(row)
	}
	t.held = append(t.held, row)
	if len(t.held) < alignRows {
		return nil
	}
	return t.flush()
}

// flush writes the rows held back; from then on rows are written as they come.
func (t *tableWriter) flush() error {
	for _, row := range t.held {
		t.widen(row)
	}
	for _, row := range t.held {
		if err := t.write(row); err != nil {
			return err
		}
	}
	t.held = nil
	return nil
}

func (t *tableWriter) widen(row []string) {
	for len(t.widths) < len(row) {
		t.widths = append(t.widths, 0)
	}
	for i, cell := range row {
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
	}
}

func (t *tableWriter) write(row []string) error {
	last := len(row) - 1
	for last > 0 && row[last] == "" {
		last-- // no spaces at the end of a line
	}
	for i := 0; i <= last; i++ {
		t.w.WriteString(row[i])
		if i < last {
			t.w.WriteString(strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(row[i])+2))
		}
	}
	return t.w.WriteByte('\n')
}

func writeTables(w io.Writer, tables []Table) error {
	out := bufio.NewWriter(w)
	for i, table := range tables {
		if i > 0 {
			out.WriteByte('\n')
		}
		if table.Title != "" {
			out.WriteString(Escape(table.Title))
			out.WriteByte('\n')
		}
		t := tableWriter{w: out}
		if table.Header != nil {
			t.held = append(t.held, table.Header)
		}
		for _, row := range table.Rows {
			if err := t.add(row); err != nil {
				return err
			}
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	return out.Flush()
}

func writeRows(w io.Writer, s stream) error {
	out := bufio.NewWriter(w)
	t := tableWriter{w: out}
	headed := false
	err := s.rows(func(row []string) error {
		if !headed && s.header() != nil {
			t.held = append(t.held, s.header())
		}
		headed = true
		return t.add(row)
	})
	if err := t.flush(); err != nil {
		return err
	}
	if flushErr := out.Flush(); flushErr != nil {
		return flushErr
	}
	return err
}
