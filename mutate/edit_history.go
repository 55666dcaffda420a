package mutate

import (
	"context"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// AddHistory adds an entry to the end of the config's history, without a layer: what
// was done, for people to read. An image with layers that keeps no history is
// ErrUnsupported, since one entry would not fit its layers.
//
// The config changes, and with it the manifest; diffIDs, created, annotations and
// layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type AddHistory struct {
	// CreatedBy is the text.
	CreatedBy string
	// Created is when it was done; zero notes nothing.
	Created time.Time
}

// Image adds the entry.
func (e AddHistory) Image(_ context.Context, im *Image) error {
	if ok, err := hasConfig(im); err != nil || !ok {
		return err
	}
	if im.History == nil && len(im.Layers) > 0 {
		return content.Errorf(content.ErrUnsupported, "image keeps no history, so that an entry would not fit its layers")
	}
	h := NewHistory()
	if !e.Created.IsZero() {
		h.Raw.SetString("created", e.Created.UTC().Format(time.RFC3339))
	}
	h.Raw.SetString("created_by", e.CreatedBy)
	im.History = append(im.History, h)
	return nil
}

var historyFlag = Flag{
	Name:  "history",
	Usage: "add an entry to the history: `TEXT` says what was done",
	Parse: selected(func(value string, env FlagEnv) (Change, error) {
		if value == "" {
			return nil, content.Errorf(content.ErrInvalid, "the text is empty")
		}
		return AddHistory{value, env.Created}, checkText(value)
	}),
}
