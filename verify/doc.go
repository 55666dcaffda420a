// Package verify judges layouts and never changes them. [Check] reads every blob
// once and re-derives what can be derived: digests, sizes, diffIDs, media types;
// it reads JSON as strictly as the pickiest reader would, and follows every
// reference. What it finds comes as a list of problems under stable ids, all of
// them, not the first one; docs/verify.md lists the ids.
//
// Nothing it meets makes it panic or hold more than one manifest a worker, and
// nothing it finds is an error of Check itself: an error means that there is no
// verdict, since the work was interrupted.
package verify
