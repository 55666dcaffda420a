// Package toolref says how other programs name an image of a layout: the exact
// words that stand after their verb, or why there are none. Each program has a
// grammar of its own for paths, names and digests, and a rule of its own for what it
// finds under a name, which may be another image than the one that was meant. Both
// are in one table, with the source of each; words are given only if by that rule
// the program finds the right image.
package toolref
