// Package build makes the images, layouts and archives that tests work on, as
// values first and as bytes or files when asked. Everything is deterministic: one
// clock, random bytes from a seed, and no call of an external tool.
//
// A [Layout] collects blobs and entries; [Layout.Files] lists it as the files of
// a layout, which [Tar] makes an archive of and [WriteDir] a directory. The
// archives of docker save come the same way, from [DockerArchive] and
// [Docker25Archive]. What a test wants broken it edits between these steps.
//
// It is for tests: it panics where its caller asks for the impossible.
package build
