//go:build !linux

package durable

import (
	"errors"
	"os"
)

// openUnnamed returns nil: every file has a name here.
func openUnnamed(string) (*os.File, error) { return nil, nil }

func linkOpen(*os.File, string) error { return errors.ErrUnsupported }
