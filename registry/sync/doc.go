// Package sync keeps layouts and registries in step with others, as a file says: the
// configuration of regsync, with the same keys, and a few of our own.
//
// ParseConfig reads the file, and says where in it something is wrong. Choose and Plan
// are pure: they see names, digests and rules, and say what there is to do and why. Run
// asks the registries, plans, and does it: all images that go to one layout in one
// batch, whose names change in one transaction.
package sync
