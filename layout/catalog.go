package layout

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/layout/internal/catalog"
)

// crawled is a layout as the catalog reads it.
type crawled struct {
	r    *Reader
	flat [2]bool // of sha256 and sha512
}

func (r *Reader) crawled() crawled {
	return crawled{r, [2]bool{r.flat(digest.FromString("")), r.flat(digest.SHA512.FromString(""))}}
}

// Roots reads index.json once. A torn one is ErrCorrupt.
func (c crawled) Roots(ctx context.Context, yield func(catalog.Root) error) error {
	f, err := c.r.src.index()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	n := 0
	_, err = parseIndex(f, c.r.o.Limits, func(s *summary, raw []byte) error {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return eachRoot(s, raw, yield)
	}, nil)
	return content.At(filepath.Join(c.r.path, "index.json"), err)
}

// eachRoot calls yield with the roots that an entry gives.
func eachRoot(s *summary, raw []byte, yield func(catalog.Root) error) error {
	mediaType := string(s.mediaType)
	if !content.HasEdges(mediaType) {
		return nil
	}
	size, err := strconv.ParseInt(string(s.size), 10, 64)
	d := content.Digest(s.digest)
	if s.sizeOdd || err != nil || size < 0 || content.CheckDigest(d) != nil {
		e, err := ParseEntry(raw)
		if err != nil {
			return err
		}
		size = e.Size
	}
	name := s.refName
	if len(s.imageName) > 0 {
		name = s.imageName
	}
	root := catalog.Root{Ref: catalog.Ref{Digest: d, MediaType: mediaType, Size: size}}
	plain := true
	fallback := fallbackOf(mediaType, string(name))
	if fallback != "" {
		name = nil // said by that alone
	}
	for _, f := range []struct {
		form  catalog.Form
		about string
	}{
		{catalog.Fallback, fallback},
		{catalog.Annotated, string(s.subject)},
		{catalog.Listed, string(s.listed)},
		{catalog.Cosign, cosignBase(string(name))},
		{catalog.Named, string(name)},
	} {
		if f.about == "" {
			continue
		}
		plain = false
		root.Form, root.About = f.form, f.about
		if err := yield(root); err != nil {
			return err
		}
	}
	if plain {
		return yield(root)
	}
	return nil
}

// fallbackOf is the name of an entry that is a list of referrers; "" for others.
func fallbackOf(mediaType, name string) string {
	if content.IsIndex(mediaType) && isFallbackTag(name) {
		return name
	}
	return ""
}

// rootsOf lists the roots that an entry gives.
func rootsOf(e Entry) []catalog.Root {
	var roots []catalog.Root
	s := summarize(e)
	_ = eachRoot(&s, e.Raw, func(r catalog.Root) error { // an Entry is what ParseEntry takes
		roots = append(roots, r)
		return nil
	})
	return roots
}

// Manifest reads one manifest, proven.
func (c crawled) Manifest(ctx context.Context, ref catalog.Ref, list bool) (content.Manifest, error) {
	limits := c.r.o.Limits
	if list {
		limits.Manifest = limits.Index // one subject may have very many referrers
	}
	flat := c.flat[0]
	if ref.Digest.Algorithm() == digest.SHA512 {
		flat = c.flat[1]
	}
	return c.r.readManifest(ctx, ref.Descriptor(), limits, flat)
}

// state is how index.json and the directories of blobs are now.
func (r *Reader) state() (catalog.State, error) {
	var s catalog.State
	info, err := os.Stat(filepath.Join(r.path, "index.json"))
	if err != nil {
		return s, err
	}
	s.Index = durable.StampOf(info)
	for i, alg := range []string{"sha256", "sha512"} {
		if info, err := os.Stat(filepath.Join(r.path, "blobs", alg)); err == nil {
			s.Blobs[i] = durable.StampOf(info)
		}
	}
	s.At = time.Now()
	return s, nil
}

func (r *Reader) catalog() catalog.Catalog {
	return catalog.Catalog{Dir: filepath.Join(r.path, stateDir), NoSync: r.o.NoSync, Limits: r.o.Limits}
}
