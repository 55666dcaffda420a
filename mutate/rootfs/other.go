//go:build !linux

package rootfs

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Unpack is ErrUnsupported on this system.
func Unpack(context.Context, content.Fetcher, content.Descriptor, string, UnpackOptions) (Unpacked, error) {
	return Unpacked{}, content.Errorf(content.ErrUnsupported, "images are unpacked on Linux only")
}

// Repack is ErrUnsupported on this system.
func Repack(context.Context, *layout.Layout, string, string, RepackOptions) (Repacked, error) {
	return Repacked{}, content.Errorf(content.ErrUnsupported, "images are repacked on Linux only")
}
