package mutate

import (
	"context"
	"slices"
	"strconv"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// maxValueDepth is how deep manifests and configs that are compared may nest.
const maxValueDepth = 64

// A comparedManifest is one of two manifests, with its config if that is an image's.
type comparedManifest struct {
	store  content.Fetcher
	desc   content.Descriptor
	raw    *rawjson.Object
	m      content.Manifest
	config *rawjson.Object // nil unless the config is an image's
	facts  layout.Facts
}

// open reads a manifest and its config.
func (c *comparer) open(ctx context.Context, side CompareSide, d content.Descriptor) (*comparedManifest, error) {
	m, data, err := content.FetchManifest(ctx, side, d, c.o.Limits)
	if err != nil {
		return nil, err
	}
	r := &comparedManifest{store: side, desc: d, m: m}
	if r.raw, err = strictObject(d.Digest, data); err != nil || m.Config == nil || !content.IsImageConfig(m.Config.MediaType) {
		return r, err
	}
	data, err = content.FetchAll(ctx, side, *m.Config, c.o.Limits.Manifest)
	if err != nil {
		return nil, err
	}
	if r.config, err = strictObject(m.Config.Digest, data); err != nil {
		return nil, err
	}
	r.facts, err = layout.ParseFacts(data)
	return r, content.AtDigest(m.Config.Digest, err)
}

// strictObject reads JSON in which every reader sees the same.
func strictObject(d content.Digest, data []byte) (*rawjson.Object, error) {
	if err := rawjson.Check(data, maxValueDepth); err != nil {
		return nil, content.AtDigest(d, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	object, err := rawjson.Parse(data)
	if err != nil {
		return nil, content.AtDigest(d, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	return object, nil
}

// images compares two manifests.
func (c *comparer) images(ctx context.Context, from, to content.Descriptor) (ImageDifference, error) {
	d := ImageDifference{From: compared(from), To: compared(to), Fields: []FieldDifference{}}
	if from.Digest == to.Digest {
		return d, nil
	}
	a, err := c.open(ctx, c.from, from)
	if err != nil {
		return d, err
	}
	b, err := c.open(ctx, c.to, to)
	if err != nil {
		return d, err
	}
	differ, err := c.fields(&d, a, b)
	if err != nil {
		return d, err
	}
	layers, err := c.layers(ctx, &d, a, b)
	if err != nil {
		return d, err
	}
	if !differ && layers.same {
		c.spelling(&d, "", from.Digest, to.Digest)
	}
	if a.config == nil || b.config == nil {
		return d, nil
	}
	d.Files, err = c.files(ctx, a, b, !layers.blobs)
	if err == nil && d.Files != nil && d.Files.State == FilesUnreadable && c.o.Ignore.any("layers") {
		err = content.Errorf(content.ErrUnsupported, "files can't be compared, and layers are ignored: %s", d.Files.Reason)
	}
	return d, err
}

// spelling notes that two documents differ in nothing but how they are written.
func (c *comparer) spelling(d *ImageDifference, path string, from, to content.Digest) {
	if !c.o.Ignore.any("encoding") {
		d.Fields = append(d.Fields, FieldDifference{"encoding", path, rawjson.Quote(from.String()), rawjson.Quote(to.String())})
	}
}

// fields compares what two manifests and their configs say, apart from their layers,
// and says whether anything differs, ignored or not.
func (c *comparer) fields(d *ImageDifference, a, b *comparedManifest) (bool, error) {
	f := fieldFinder{ignore: c.o.Ignore, kinds: manifestKinds}
	if err := f.objects("", a.raw, b.raw, "config", "layers", "blobs"); err != nil {
		return false, content.AtDigest(b.desc.Digest, err)
	}
	inConfig := []string{"digest", "size", "data"}
	if a.config == nil || b.config == nil {
		inConfig = nil // compared by its bytes
	}
	if err := f.descriptors("/config", a.raw.Get("config"), b.raw.Get("config"), inConfig...); err != nil {
		return false, err
	}
	d.Fields = append(d.Fields, f.found...)
	if a.config == nil || b.config == nil || a.m.Config.Digest == b.m.Config.Digest {
		return f.any, c.takeFields(d)
	}
	g := fieldFinder{ignore: c.o.Ignore, kinds: configKinds}
	if err := g.config(a.config, b.config); err != nil {
		return false, content.AtDigest(b.m.Config.Digest, err)
	}
	if err := g.diffIDs(a, b); err != nil {
		return false, content.AtDigest(b.m.Config.Digest, err)
	}
	d.Fields = append(d.Fields, g.found...)
	if !g.any {
		c.spelling(d, "/config", a.m.Config.Digest, b.m.Config.Digest)
	}
	return true, c.takeFields(d)
}

// takeFields makes room for the fields that were found.
func (c *comparer) takeFields(d *ImageDifference) error {
	var n int64
	for _, f := range d.Fields {
		n += int64(100 + len(f.Path) + len(f.From) + len(f.To))
	}
	return c.take(n)
}

// descriptors compares two descriptors but for some of their fields.
func (f *fieldFinder) descriptors(path string, from, to []byte, skip ...string) error {
	if !isObject(someValue(from)) || !isObject(someValue(to)) {
		return f.values(path, from, to)
	}
	a, err := rawjson.Parse(from)
	if err != nil {
		return err
	}
	b, err := rawjson.Parse(to)
	if err != nil {
		return err
	}
	return f.objects(path, a, b, skip...)
}

// manifestKinds tells what kinds of difference a path of a manifest belongs to.
func manifestKinds(path string) []string {
	switch {
	case path == "/annotations/"+pointerStep(ocispec.AnnotationCreated):
		return []string{"time", "annotations"}
	case strings.Contains(path, "/annotations"):
		return []string{"annotations"}
	}
	return []string{"manifest"}
}

// configKinds tells it of a path of an image's config.
func configKinds(path string) []string {
	below := func(dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }
	switch {
	case path == "/created":
		return []string{"time", "config"}
	case below("/history"):
		if strings.HasSuffix(path, "/created") {
			return []string{"time", "history"}
		}
		return []string{"history"}
	case below("/config/Labels"):
		return []string{"labels", "config"}
	case below("/config/Env"):
		return []string{"env", "config"}
	case below("/rootfs"):
		return []string{"layers"}
	case path == "/os", path == "/architecture", path == "/variant", path == "/os.version", path == "/os.features":
		return []string{"platform"}
	}
	return []string{"config"}
}

// config compares two configs. The diffIDs of the layers are not looked at.
func (f *fieldFinder) config(a, b *rawjson.Object) error {
	if err := f.objects("", a, b, "config", "history", "rootfs"); err != nil {
		return err
	}
	if err := f.container(a.Get("config"), b.Get("config")); err != nil {
		return err
	}
	if err := f.descriptors("/rootfs", a.Get("rootfs"), b.Get("rootfs"), "diff_ids"); err != nil {
		return err
	}
	return f.history(a.Get("history"), b.Get("history"))
}

// diffIDs compares the diffIDs of two configs. They are told with the layers, unless
// there are more or fewer of them.
func (f *fieldFinder) diffIDs(a, b *comparedManifest) error {
	if len(a.facts.DiffIDs) == len(a.m.Layers) && len(b.facts.DiffIDs) == len(b.m.Layers) {
		f.any = f.any || !slices.Equal(a.facts.DiffIDs, b.facts.DiffIDs)
		return nil
	}
	return f.values("/rootfs/diff_ids", memberOf(a.config.Get("rootfs"), "diff_ids"), memberOf(b.config.Get("rootfs"), "diff_ids"))
}

// container compares what containers run with, the environment by its variables.
func (f *fieldFinder) container(from, to []byte) error {
	from, to = someValue(from), someValue(to)
	empty := []byte("{}")
	if from == nil {
		from = empty
	}
	if to == nil {
		to = empty
	}
	if !isObject(from) || !isObject(to) {
		return f.values("/config", from, to)
	}
	if err := f.descriptors("/config", from, to, "Env"); err != nil {
		return err
	}
	a, okA := environment(from)
	b, okB := environment(to)
	if okA && okB {
		return f.objects("/config/Env", a, b)
	}
	return f.values("/config/Env", memberOf(from, "Env"), memberOf(to, "Env"))
}

// memberOf is the value of a key in an object that was checked.
func memberOf(object []byte, key string) []byte {
	o, err := rawjson.Parse(object)
	if err != nil {
		return nil
	}
	return o.Get(key)
}

// environment makes an object of the variables. It is none if one comes twice, since
// then their order says something.
func environment(container []byte) (*rawjson.Object, bool) {
	vars, _ := rawjson.Parse([]byte("{}"))
	list := someValue(memberOf(container, "Env"))
	if list == nil {
		return vars, true
	}
	if list[0] != '[' {
		return nil, false
	}
	seen := map[string]bool{}
	whole := true
	err := rawjson.EachElement(list, func(value []byte) error {
		decoded, _ := decodeValue(value)
		text, isText := decoded.(string)
		name, setting, isSet := strings.Cut(text, "=")
		if !isText || !isSet || seen[name] {
			whole = false
			return nil
		}
		seen[name] = true
		vars.SetString(name, setting)
		return nil
	})
	return vars, err == nil && whole
}

// history compares two histories step by step.
func (f *fieldFinder) history(from, to []byte) error {
	a, b := historySteps(from), historySteps(to)
	for _, p := range pairLists(stepKeys(a), stepKeys(b)) {
		var err error
		switch {
		case p.to < 0:
			f.differ("/history/"+strconv.Itoa(p.from), a[p.from], nil)
		case p.from < 0:
			f.differ("/history/"+strconv.Itoa(p.to), nil, b[p.to])
		default:
			err = f.values("/history/"+strconv.Itoa(p.from), a[p.from], b[p.to])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func historySteps(list []byte) [][]byte {
	var steps [][]byte
	_ = rawjson.EachElement(list, func(value []byte) error { // the function has no error
		steps = append(steps, value)
		return nil
	})
	return steps
}

// stepKeys are a step as a whole, and what it ran.
func stepKeys(steps [][]byte) [][]string {
	keys := make([][]string, len(steps))
	for i, step := range steps {
		keys[i] = []string{canonicalValue(step), string(someValue(memberOf(step, "created_by")))}
	}
	return keys
}

// layersOf pairs the layers of a manifest with the diffIDs of its config.
func (m *comparedManifest) layersOf() ([]imagefs.Layer, error) {
	return imagefs.Layers(m.m.Layers, m.facts.DiffIDs)
}
