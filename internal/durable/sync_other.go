//go:build !linux

package durable

import (
	"errors"
	"os"
)

func haveSyncFS() bool { return false }

func tellsSyncErrors(*os.File) bool { return false }

func syncFS(*os.File) error { return errors.ErrUnsupported }
