// Package artifact stores files as OCI artifacts and finds them again: attached to
// an image, whose digest stays as it is, or under a name of their own.
//
// An artifact is an image manifest whose layers are the files (image-spec
// manifest.md, "Guidelines for Artifact Usage"). [Attach] makes one whose subject is
// an image, an index or another artifact, and lists it where registries without a
// referrers API have it too; [Put] gives one a name. [Find] lists what is attached
// by type, annotation and age, and [Save] writes the files of an artifact to a
// directory, out of which no title leads.
//
// The same files and options make the same manifest, byte for byte: nothing in it
// depends on the clock, and doing it twice changes nothing.
package artifact
