// Package mutate makes new images of old ones by a list of edits.
//
// An [Edit] is a [Change] and the images of an index that it is for. [Apply] loads
// what a reference leads to as a tree of [Index] and [Image] values, runs the edits
// on them in their order, reads each layer that must change once, however many
// edits and images it is in, and writes layers, configs, manifests and indexes
// from the leaves up into a batch. [Save] makes the batch durable and gives the
// result a name.
//
// What no edit names keeps its bytes, and so its digest: a layer whose members all
// stay, a config, a whole child of an index, and every field of a changed one that
// is not known here. Where something has changed, the descriptors that lead to it, in a
// manifest, in the index above it and in index.json, get its new digest and size and
// lose data that was embedded of the old bytes; their platform and annotations stay,
// as do those of manifests and indexes. The same input and edits give the same digests, on any
// machine and any number of cores, with the same release of this module.
package mutate
