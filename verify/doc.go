// Package verify judges layouts. [Check] reads every blob once and re-derives what can
// be derived: digests, sizes, diffIDs, media types; it reads JSON as strictly as the
// pickiest reader would, and follows every reference. What it finds comes as a list of
// problems under stable ids, all of them, not the first one; docs/verify.md lists the
// ids. [Options] make it look less far, or hold images to what is wanted of them:
// platforms, referrers, files, and what a consumer loads.
//
// Nothing that Check meets makes it panic or hold more than some 32 MiB of manifests
// and, for each of them, what its descriptors say; nothing it finds is an error of Check
// itself: an error means that there is no verdict, since the work was interrupted.
//
// [Repair] is Check that also brings in the right bytes for blobs that are wrong or
// missing, and is all here that writes.
package verify
