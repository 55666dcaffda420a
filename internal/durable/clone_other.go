//go:build !linux

package durable

import "os"

// Clone reports false: no bytes can be shared between open files here.
func Clone(dst, src *os.File) (bool, error) { return false, nil }
