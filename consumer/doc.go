// Package consumer knows what the programs that load images accept: docker, podman,
// containerd's ctr, kind, k3s, Bazel's rules and scanners. What it knows is one table,
// [Rules]; each rule says where it comes from and what happens without it.
//
// [Look] reads what the rules judge by, the facts of entries, and reads nothing else.
// [Select] is pure: it applies the rules to facts and says which entries are kept and
// as what, which are left out, and what the consumer would refuse. [Copy] brings what
// is kept into a layout; package export writes it into an archive.
package consumer
