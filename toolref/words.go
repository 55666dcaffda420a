package toolref

import (
	"context"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/docker"
	"github.com/ocilayout/ocilayout/layout"
)

// Tools lists the programs that are known, in the order of the table.
func Tools() []string {
	var names []string
	for _, t := range tools {
		names = append(names, t.name)
	}
	return names
}

// Source says where the grammar of a program was read; "" of one that is not known.
func Source(program string) string {
	for _, t := range tools {
		if t.name == program {
			return t.source
		}
	}
	return ""
}

// A NoWordsError says why a program can't be told of an image. It is ErrUnsupported.
type NoWordsError struct {
	Tool   string
	Ref    layout.Reference
	Reason string // in words, not a sentence
}

func (e *NoWordsError) Error() string {
	return e.Tool + " has no words for " + e.Ref.String() + ": " + e.Reason
}

// Unwrap gives the kind of the error.
func (e *NoWordsError) Unwrap() error { return content.ErrUnsupported }

// Words gives the words by which a program finds the image that ref means in r, with
// ref.Layout as the path. They stand after the program's verb: after "skopeo copy",
// "regctl manifest get", "oras pull", "docker buildx imagetools inspect" (or after
// "--build-context NAME="), "trivy image", "syft scan", "crane push", "podman pull".
//
// It is a NoWordsError, with the reason, if no words can say it, and ErrInvalid for a
// program that is not in Tools.
func Words(ctx context.Context, r *layout.Reader, ref layout.Reference, program string) ([]string, error) {
	i := slices.IndexFunc(tools, func(t tool) bool { return t.name == program })
	if i < 0 {
		return nil, content.Errorf(content.ErrInvalid, "%q is no program whose words are known: want one of %s", program, strings.Join(Tools(), ", "))
	}
	v, names, err := look(ctx, r, ref)
	if err != nil {
		return nil, err
	}
	words, reason := tools[i].words(v, names)
	if reason != "" {
		return nil, &NoWordsError{Tool: program, Ref: ref, Reason: reason}
	}
	return words, nil
}

// look reads what the rules need, and the names that the image may have to a
// program, best first.
func look(ctx context.Context, r *layout.Reader, ref layout.Reference) (*view, []string, error) {
	found, err := r.Lookup(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	v := &view{path: ref.Layout, want: found.Digest}
	if r.IsArchive() {
		v.in = archive
		v.alone = alone(ctx, r, found)
	}
	err = r.View(ctx, func(x *layout.Index) error {
		v.entries = nil // View may begin again
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			v.entries = append(v.entries, e)
		}
		return nil
	})
	return v, v.names(found, ref.Name), err
}

// names lists the names of the image: the one that was found first, then what else
// leads to it, and the tags of those.
func (v *view) names(found layout.Entry, asked string) []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	add(found.RefName())
	add(asked)
	var others []layout.Entry
	for _, e := range v.entries {
		if e.Digest == v.want && content.HasEdges(e.MediaType) {
			others = append(others, e)
		}
	}
	for _, e := range others {
		add(e.RefName())
	}
	for _, e := range others {
		add(e.RefName()[strings.LastIndexByte(e.RefName(), ':')+1:])
		add(e.Annotations[content.AnnotationImageName])
	}
	return names
}

// alone says whether manifest.json of an archive lists one image, which has the
// config of the one found.
func alone(ctx context.Context, r *layout.Reader, found layout.Entry) bool {
	limits := r.Limits()
	data, err := r.ReadFile(docker.ManifestName, limits.Manifest)
	if err != nil || content.IsIndex(found.MediaType) {
		return false
	}
	listed, err := docker.Parse(data)
	if err != nil || len(listed) != 1 {
		return false
	}
	m, _, err := content.FetchManifest(ctx, r, found.Descriptor, limits)
	if err != nil || m.Config == nil {
		return false
	}
	return strings.Contains(listed[0].Config, m.Config.Digest.Encoded())
}

// words is the first way that leads to the image, or why there is none.
func (t *tool) words(v *view, names []string) (words []string, reason string) {
	var reasons []string
	no := func(reason string) {
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	for _, w := range t.ways {
		if w.in != v.in {
			continue
		}
		if !w.paths.takes(v.path) {
			no(w.paths.not)
			continue
		}
		if !w.finds.names {
			if reason := w.leads(v, ""); reason != "" {
				no(reason)
				continue
			}
			return w.fill(v, ""), ""
		}
		if len(names) == 0 {
			no("the image has no name")
		}
		for _, name := range names {
			if reason := w.leads(v, name); reason != "" {
				no(reason)
				continue
			}
			return w.fill(v, name), ""
		}
	}
	if len(reasons) == 0 {
		return nil, t.without
	}
	return nil, strings.Join(reasons, "; ")
}

// leads says why the way does not lead to the image under a name; "" if it does.
func (w *way) leads(v *view, name string) string {
	if w.finds.find == nil {
		return "" // any content by its digest
	}
	if w.finds.names && !w.names.takes(name) {
		return w.names.not
	}
	found, reason := w.finds.find(v, name)
	if reason == "" && found != v.want {
		return name + " is another image to it, " + content.Short(found)
	}
	return reason
}

func (g *grammar) takes(s string) bool { return g == nil || g.re.MatchString(s) }

// fill makes the words of a way.
func (w *way) fill(v *view, name string) []string {
	path := v.path
	values := strings.NewReplacer("{path}", path, "{name}", name, "{digest}", v.want.String())
	var words []string
	for form := range strings.SplitSeq(w.words, " ") {
		word := values.Replace(form)
		if strings.HasPrefix(form, "{path}") && strings.HasPrefix(path, "-") {
			word = "./" + word // it would be a flag
		}
		words = append(words, word)
	}
	return words
}

// Quote joins words so that a POSIX shell reads them again as they are.
func Quote(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}

// plain are the characters that mean nothing to a shell.
const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-"

func quote(word string) string {
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
