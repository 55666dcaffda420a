// Package registry moves images between layouts and registries, as
// distribution-spec v1.1 has them: the only package that opens sockets, and only to
// the host that its caller names, to the mirrors of it that the machine is set up for, to
// the token service that either names, and to where it redirects the download of a blob.
//
// Digests are preserved to the byte in both directions. What is pushed appears in an
// order in which nothing refers to what is not there: blobs, manifests, indexes,
// then what has these as its subject. What is pulled is proven before it gets a name.
//
// Requests are few: see Push and Pull for how many. They are tried again, with
// growing pauses, where the network or the registry failed for the moment; what it
// refuses is told apart by ErrUnauthorized, ErrDenied, content.ErrNotFound and
// ErrRateLimited.
package registry
