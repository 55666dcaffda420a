package mutate

import "context"

// Recompress stores all layers in one form. DiffIDs, history and times stay: what a
// layer decompresses to is the same. A layer that has the compression already is left
// alone, unless a level is asked for. Descriptors get the media type of their family;
// urls, data and annotations that describe the old bytes go.
type Recompress struct{ Form Form }

// Image implements Change.
func (c Recompress) Image(_ context.Context, im *Image) error {
	for _, l := range im.Layers {
		if l.IsTar() {
			l.Recompress(c.Form)
		}
	}
	return nil
}

func compressFlags() []Flag {
	return []Flag{{Name: "layer-compress", Usage: "store layers as `FORM`: gzip, zstd or none, with a level after a colon",
		Parse: selected(func(value string, _ FlagEnv) (Change, error) {
			f, err := ParseForm(value)
			return Recompress{f}, err
		})}}
}
