//go:build !linux

package bigpages

// Ask does nothing here.
func Ask() {}
