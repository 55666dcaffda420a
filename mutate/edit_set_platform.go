package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetPlatform says that an image runs on a platform: in the config's os,
// architecture, variant, os.version and os.features, and in its entry of an index or
// of index.json. Edits after this one select it by the new platform. A second image
// of an index for one platform is ErrInvalid.
//
// The config changes, and with it the manifest; history, diffIDs, created,
// annotations and layers stay. In a parent index platform and digest are the new ones.
type SetPlatform struct{ Platform content.Platform }

// Image sets the platform.
func (e SetPlatform) Image(_ context.Context, im *Image) error {
	if ok, err := hasConfig(im); err != nil || !ok {
		return err
	}
	p := content.NormalizePlatform(e.Platform)
	if parent := im.Index(); parent != nil {
		for _, c := range parent.Children {
			if c.Image != nil && c.Image != im && content.FormatPlatform(c.Image.Platform) == content.FormatPlatform(p) {
				return content.Errorf(content.ErrInvalid, "index has an image for %s already", content.FormatPlatform(p))
			}
		}
	}
	write := func(o *rawjson.Object) error { return writePlatform(o, p) }
	if err := editConfig(im, write); err != nil {
		return err
	}
	im.Platform = p
	if im.Index() == nil && !isSet(im.Entry.Get("platform")) {
		return nil
	}
	return editMember(im.Entry, "platform", write)
}

func writePlatform(o *rawjson.Object, p content.Platform) error {
	for _, field := range []struct{ key, value string }{
		{"architecture", p.Architecture}, {"os", p.OS}, {"os.version", p.OSVersion}, {"variant", p.Variant},
	} {
		if err := setText(o, field.key, field.value); err != nil {
			return err
		}
	}
	return setTexts(o, "os.features", p.OSFeatures)
}

var setPlatformFlag = Flag{
	Name:  "set-platform",
	Usage: "say what it runs on: `PLATFORM` such as linux/arm64; of an index select one image",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		p, err := parsePlatform(value)
		return SetPlatform{p}, err
	}),
}
