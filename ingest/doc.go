// Package ingest brings images from archives into a layout: those of docker save
// in its old form (a directory a layer, manifest.json) and its form since Docker
// 25 (a layout with manifest.json beside it), archives of a layout, and plain root
// filesystems. [Import] is the whole of it.
//
// An archive is read once, from front to back, as a stream, and no copy of it is
// made: what could be a layer is hashed, compressed and staged as it passes, and
// when the end has shown what the archive's table of contents lists, the rest is
// dropped. Nothing of an archive is trusted: every blob is proven against its
// digest, every layer of an old archive against its diffID, before it is published.
package ingest
