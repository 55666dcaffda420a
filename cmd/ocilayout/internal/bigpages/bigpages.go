// Package bigpages asks the system, where it is Linux, to back the heap with pages of
// 2 MiB. A short command spends a good part of its time on the first touch of each
// page of 4 KiB; in a virtual machine that has to ask its host, most of it.
//
// The first effect comes when it is initialised: it imports nothing that comes late,
// so that this is before most other packages. Where the system does not want to,
// nothing changes.
package bigpages
