package mutate

import "context"

// Normalize writes the tars of all layers in one form, so that two builds of the same
// files in the same order make the same layers whatever wrote them. Members keep their
// order, type, numeric owner, permissions, time, device and extended attributes.
//
//   - Names have no "./" or "/" in front, and a slash at the end for directories alone.
//   - User and group names, times of access and change, type bits in modes, global
//     headers and PAX records without a dot in their key are left out.
//   - Headers are ustar, with a PAX header for just what that can't say: long names,
//     large numbers, fractions of a second, extended attributes.
//   - Padding is zeros, two zero blocks end the archive, and nothing follows.
//
// Times are left to [LayerTime], compression to [Recompress]. A layer that has the form
// stays. DiffIDs follow; times in config and history stay; urls, data and annotations
// that describe a layer's old bytes go from its descriptor. A layer with a member of
// another type than files, directories, links and devices have is ErrUnsupported.
type Normalize struct{}

// Image implements Change.
func (Normalize) Image(_ context.Context, im *Image) error {
	for _, l := range im.Layers {
		if l.IsTar() {
			l.Do(normalize{})
		}
	}
	return nil
}

// normalize has the engine write headers anew, when all steps are done.
type normalize struct{}

func (normalize) Key() string          { return "normalize" }
func (normalize) Start() Filter        { return normalize{} }
func (normalize) Member(*Member) error { return nil }
func (normalize) canonical()           {}

func normalizeFlags() []Flag {
	return []Flag{{Name: "normalize", Bare: true, Usage: "write the tars of layers in one form, so that equal files make equal layers",
		Parse: selected(func(string, FlagEnv) (Change, error) { return Normalize{}, nil })}}
}
