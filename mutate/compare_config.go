package mutate

import (
	"slices"
	"strconv"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

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
