// Package layout is the store: an OCI Image Layout in a plain directory, or read
// in place in an uncompressed tar (image-spec image-layout.md).
//
// Content is immutable and named by its digest. index.json is the only thing that
// changes; it changes inside [Layout.Update] alone, in one atomic and durable step
// under a lock that all processes share. Blobs may be written at any time, in
// parallel, and stay unreferenced until an Update names them.
//
// Read-only is a type: [OpenReader] gives a [Reader], [Open] and [Init] give a
// [Layout], which embeds one. Readers take no lock and never wait. What a Reader
// hands out is verified against its digest; what it is told by the directory's own
// .ocilayout/ is never trusted.
package layout
