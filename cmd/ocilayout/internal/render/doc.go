// Package render writes results: as tables for people, as JSON for programs,
// through a Go template for shells. It is the only place of the command line
// that writes to standard output.
//
// A result is one of:
//
//   - nil: nothing is written.
//   - [Raw]: bytes, written as they are whatever the format.
//   - string: one line; a JSON string.
//   - [List], or a slice that is a [Tabler]: many items of one kind: a JSON array
//     with one item on each line; a template is run once for each item. A List is
//     streamed, also as rows of a table.
//   - any other value with json tags: JSON indented by two spaces; a template is
//     run once; its tables come from [Tabler].
//
// A template sees what JSON would show, under the same names, so {{.mediaType}}
// and not a Go field. A result may write itself in further formats ([Former]).
//
// Text of a layout is hostile: tables and JSON are always free of control and
// formatting characters, templates when the output is a terminal.
package render
