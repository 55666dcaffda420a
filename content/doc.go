// Package content holds the words that every other package speaks: descriptors,
// media types, platforms, sentinels, limits, the smallest interfaces for reading
// and writing content, a reader that ends in a verdict, and the walk over a graph
// of manifests. It touches no file and no socket.
//
// Functions that read take a [Fetcher], so that they work alike on a directory,
// an archive and a registry. Whatever a Fetcher of this module hands out is
// verified: its last Read returns io.EOF only if the bytes were right.
package content
