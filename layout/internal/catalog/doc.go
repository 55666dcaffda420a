// Package catalog remembers what the manifests of a layout say about each other, so
// that a question about one of them need not read all.
//
// # What is in it
//
// Facts of two kinds. Those of a manifest never change, since its digest names its
// bytes: what its subject is, what it refers to. Those of index.json change with
// it: which manifests it leads to, and which names and annotations say that one
// belongs to another. A fact is there exactly as long as index.json leads to it. (What
// was read once stays known while anything leads there, even with a wrong size.)
//
// The same facts are kept in memory ([Compute]) or in a file ([Catalog]), and asked
// for in the same way ([Facts]).
//
// # What it is worth
//
// Nothing in it is proof. Who asks reads the manifest that an answer names before
// believing it. A catalog can only be too short, and to keep that from happening
// the file is believed only under a seal: a small file beside it that says for
// which state of index.json it is whole, on which machine, for which user, and
// which state (inode, size, times) the file itself had when it was last written. A
// file that was copied, restored, cut, or touched by anything but this package has
// another state, and is built again. Both are ours alone: owned by the effective
// user, regular files in a directory that is no link.
//
// # How it changes
//
// Writers of the file hold catalog.lock. The file changes in one bbolt transaction,
// and a new one appears by rename. Then the seal is written; who dies before leaves
// a file without its seal, which costs a rebuild. Readers share bbolt's lock on the
// file, wait for it only shortly, and do without the file otherwise.
package catalog
