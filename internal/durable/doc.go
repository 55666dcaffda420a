// Package durable says how bytes become durable: it stages, publishes, replaces,
// syncs and locks files, and is the only place that renames, fsyncs or locks.
//
// # A blob
//
// Content that is named by its digest is durable after these steps, in order:
//
//  1. [FS.MkdirAll] the directories; each new one is fsynced into its parent.
//  2. [FS.Stage] a file on the same filesystem, write it, and prove its digest.
//  3. [File.Fsync]: the bytes are on the disk before any name points to them.
//  4. [File.Close], then [FS.Publish] or [FS.LinkInto] its name.
//  5. [FS.SyncDir] the directory of that name: now the name is on the disk too.
//
// A batch does steps 1 to 4 for each blob and step 5 once for each directory. A
// large batch opens a [SyncPoint] before it stages anything and replaces all of
// step 3 by one [SyncPoint.Flush] between the last write and the first Publish;
// where that reports false, each staged file needs its own [FS.SyncFile].
//
// # An index
//
// A file that changes under its name, such as index.json, is replaced whole, so
// that readers see the old bytes or the new ones and never a mixture:
//
//  1. The blobs that it names are durable (all five steps above).
//  2. [FS.Stage], write and [File.Fsync], before the lock where possible.
//  3. [Lock]; read the file again, and stage anew if it has changed.
//  4. [FS.Publish] over the old file, then [FS.SyncDir]; [FS.Replace] does both,
//     with the sync of step 2.
//  5. Unlock. Only now is the change acknowledged.
//
// After a crash before step 4 the old index is there, and after it the new one.
// If SyncDir fails, the new file has its name and may lose it to a power cut.
//
// # A file elsewhere
//
// A file beside which nothing may be left, whenever the process dies, such as an
// archive that is written, is replaced in the same way, but staged by
// [FS.StageFor]. On Linux it has no name until it is whole (O_TMPFILE, link). If
// nothing has its name it gets that in one step. If a file has, it gets a name of its
// own, which is renamed over the other at once; a process that is killed between
// these two calls leaves that one, and the next to write this file removes it.
//
// # Links
//
// No write goes through a symbolic link in the last element of a path: staged
// files and locks are opened without following, and a rename replaces the link
// itself. Links in the directories above are the caller's to judge.
//
// # Platforms
//
// All of this holds on Linux. On darwin a file is synced with F_FULLFSYNC and
// there is no syncfs and no reflink into an open file. On Windows directories
// cannot be synced, so that a power cut may undo the last renames; a rename over
// a file that another process reads is retried for a short time; and a [Stamp]
// knows neither inode nor change time.
package durable
