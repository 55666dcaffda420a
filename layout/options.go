package layout

import (
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// Options say how a layout is opened. The zero value is right for most.
type Options struct {
	// NoSync leaves out every fsync: still atomic and locked, but a power cut may
	// take what was written last. For scratch layouts.
	NoSync bool
	// LockTimeout is how long Update waits for other writers before it fails with
	// ErrBusy: 0 is one minute, a negative one waits as long as the context allows.
	LockTimeout time.Duration
	// Limits bound what is read; zero fields mean the defaults.
	Limits content.Limits
	// Warn is told what is odd but no error, such as an absent oci-layout; nil
	// drops it. It may be called from many goroutines at once.
	Warn func(error)
}

func (o Options) withDefaults() Options {
	o.Limits = o.Limits.WithDefaults()
	if o.LockTimeout == 0 {
		o.LockTimeout = time.Minute
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	return o
}
