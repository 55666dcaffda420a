package mutate

import "context"

// DropHistory takes out the config's whole history; layers that are added later get no
// entries either.
//
// The config changes, and with it the manifest; diffIDs, created, annotations and
// layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type DropHistory struct{}

// Image takes out the history.
func (DropHistory) Image(_ context.Context, im *Image) error {
	ok, err := hasConfig(im)
	if ok {
		im.History = nil
	}
	return err
}

var noHistoryFlag = Flag{
	Name:  "no-history",
	Usage: "delete the whole history",
	Bare:  true,
	Parse: bare(Selector{}, DropHistory{}),
}
