// Package rootfs puts the files of an image into a directory and brings changes
// made there back as a layer.
//
// [Unpack] writes the merged files of an image as they are in a running
// container: owners, modes, times, hard links, devices and extended attributes.
// Beside the directory DIR it leaves DIR.ocilayout/, which says what was unpacked
// and what every file looked like afterwards. [Repack] compares the directory
// with that list, by what stat says, and looks into files only where this leaves
// a doubt; what changed becomes one more layer.
//
// A bundle is a directory with the files in rootfs/ and a config.json for an OCI
// runtime. Bundles are those of umoci: each of the two programs repacks what the
// other has unpacked.
//
// Layers are hostile until their end proves them. No member of one is written,
// linked to, or removed outside the directory: every path is walked by descriptors,
// links are followed as if the directory were the root of the filesystem, and a
// name that leads out of it is content.ErrRefused.
//
// It works on Linux only; elsewhere both functions are content.ErrUnsupported.
package rootfs
