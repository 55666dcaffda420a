package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/ocilayout/ocilayout/content"
)

// maxTags is the most tags that are read of one repository.
const maxTags = 1_000_000

// manifestTypes are the media types that are asked for.
var manifestTypes = strings.Join([]string{
	ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex,
	"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
	"application/vnd.oci.artifact.manifest.v1+json", "*/*;q=0.1",
}, ", ")

// A Repository is one repository of a registry. It has the form of content.Fetcher,
// content.Resolver and oras-go's registry.ReferrerLister, and is safe for concurrent
// use.
type Repository struct {
	c       *client
	ref     Reference
	lacks   atomic.Bool // the referrers API
	mirrors []*mirror   // asked first
	silent  atomic.Bool // lists are asked of mirrors
}

// Limits are those that content is read with, every one set.
func (r *Repository) Limits() content.Limits { return r.c.o.Limits }

// asPuller and asPusher say beforehand what a token must allow, so that one is enough.
// Only this registry's token service is told.
func (r *Repository) asPuller(ctx context.Context) context.Context {
	return auth.AppendScopesForHost(ctx, r.c.base.Host, auth.ScopeRepository(r.there(), auth.ActionPull))
}

func (r *Repository) asPusher(ctx context.Context, from string) context.Context {
	if from != "" && from != r.ref.Repository {
		ctx = auth.AppendScopesForHost(ctx, r.c.base.Host, auth.ScopeRepository(r.c.prefix+from, auth.ActionPull))
	}
	return auth.AppendScopesForHost(ctx, r.c.base.Host, auth.ScopeRepository(r.there(), auth.ActionPull, auth.ActionPush))
}

// url makes the address of path in the repository.
func (r *Repository) url(path string) *url.URL { return r.c.url(r.there() + "/" + path) }

// there is what the registry calls the repository.
func (r *Repository) there() string { return r.c.prefix + r.ref.Repository }

// at puts the place in the registry in front of an error.
func (r *Repository) at(point string, err error) error { return content.At(r.ref.with(point), err) }

func (r *Repository) resolve(ctx context.Context, point string) (content.Descriptor, error) {
	ctx = r.asPuller(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, r.url("manifests/"+point).String(), nil)
	if err != nil {
		return content.Descriptor{}, err
	}
	req.Header.Set("Accept", manifestTypes)
	resp, err := r.c.do(req)
	if err != nil {
		return content.Descriptor{}, r.at(point, err)
	}
	if resp.StatusCode != http.StatusOK {
		return content.Descriptor{}, r.at(point, refusal(resp))
	}
	_ = resp.Body.Close() // of a HEAD
	d := content.Descriptor{
		MediaType: mediaType(resp), Size: resp.ContentLength,
		Digest: content.Digest(resp.Header.Get("Docker-Content-Digest")),
	}
	if content.CheckDigest(d.Digest) != nil || d.Size < 0 || !content.HasEdges(d.MediaType) {
		d, _, err = r.manifest(ctx, point, r.c.o.Limits.Manifest) // the head does not say
		return d, err
	}
	if strings.Contains(point, ":") && d.Digest.String() != point {
		return content.Descriptor{}, r.at(point, content.Errorf(content.ErrDigest, "the registry has %s there", d.Digest))
	}
	return d, nil
}

// Locate resolves ref, or the tag latest if it has neither tag nor digest. Host and
// repository are not looked at.
func (r *Repository) Locate(ctx context.Context, ref Reference) (content.Descriptor, error) {
	return r.Resolve(ctx, ref.OrLatest().point())
}

func mediaType(resp *http.Response) string {
	t, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return t
}

func (r *Repository) manifest(ctx context.Context, point string, limit int64) (content.Descriptor, []byte, error) {
	d := &download{ctx: r.asPuller(ctx), repo: r, path: "manifests/" + point, accept: manifestTypes}
	data, err := d.all(limit)
	if err != nil {
		return content.Descriptor{}, nil, r.at(point, err)
	}
	desc := content.Descriptor{MediaType: d.mediaType, Size: int64(len(data)), Digest: content.Digest(d.digest)}
	desc.MediaType, err = typeOf(d.mediaType, data)
	if err != nil {
		return desc, nil, r.at(point, err)
	}
	desc.Digest, err = digestOf(point, d.digest, data)
	return desc, data, r.at(point, err)
}

// typeOf is the media type of a manifest: what it says itself, or else what the
// registry says.
func typeOf(header string, data []byte) (string, error) {
	var body struct {
		MediaType string `json:"mediaType"`
	}
	if err := json.Unmarshal(data, &body); err != nil {
		return "", content.Errorf(content.ErrCorrupt, "the manifest is not JSON: %v", err)
	}
	if body.MediaType == "" {
		body.MediaType = header
	}
	if !content.HasEdges(body.MediaType) {
		return "", content.Errorf(content.ErrUnsupported, "%q is no media type of a manifest", body.MediaType)
	}
	return body.MediaType, nil
}

// digestOf proves the bytes under a digest, and those under a tag by what the
// registry says of them.
func digestOf(point, header string, data []byte) (content.Digest, error) {
	want := content.Digest(point)
	if !strings.Contains(point, ":") {
		if want = content.Digest(header); content.CheckDigest(want) != nil || !content.Verifiable(want) {
			return sha256Of(data), nil
		}
	}
	if !content.Verifiable(want) {
		return "", content.Errorf(content.ErrUnsupported, "digests of its algorithm can't be checked")
	}
	if got := want.Algorithm().FromBytes(data); got != want {
		return "", content.AtDigest(want, content.Errorf(content.ErrDigest, "the manifest is %s", got))
	}
	return want, nil
}

// open begins to read content at an offset. Of a registry that sends it from its start
// what comes before is dropped.
func (r *Repository) open(ctx context.Context, target content.Descriptor, offset int64) (*download, error) {
	d := &download{ctx: r.asPuller(ctx), repo: r, path: "blobs/" + target.Digest.String(), offset: offset}
	if content.HasEdges(target.MediaType) {
		d.path, d.accept = "manifests/"+target.Digest.String(), target.MediaType
	}
	if err := d.open(); err != nil {
		return nil, errors.Join(r.at(target.Digest.String(), err), d.Close())
	}
	return d, nil
}

func (r *Repository) tags(ctx context.Context) ([]string, error) {
	var tags []string
	u := r.url("tags/list")
	query := u.Query()
	query.Set("n", "1000")
	u.RawQuery = query.Encode()
	for u != nil {
		var page struct {
			Tags []string `json:"tags"`
		}
		d := &download{ctx: r.asPuller(ctx), repo: r, address: u}
		data, err := d.all(r.c.o.Limits.Index)
		if err != nil {
			return nil, content.At(r.ref.Name(), fmt.Errorf("the list of tags: %w", err))
		}
		if err := json.Unmarshal(data, &page); err != nil {
			return nil, content.At(r.ref.Name(), content.Errorf(content.ErrCorrupt, "the list of tags: %v", err))
		}
		for _, tag := range page.Tags {
			if _, err := r.ref.WithTag(tag); err != nil {
				return nil, content.At(r.ref.Name(), content.Errorf(content.ErrCorrupt, "the list of tags has %q, which can't be one", tag))
			}
		}
		tags = append(tags, page.Tags...)
		if len(tags) > maxTags || d.next != nil && len(page.Tags) == 0 {
			return nil, content.At(r.ref.Name(), content.Errorf(content.ErrRefused, "the list of tags does not end"))
		}
		u = d.next
	}
	return tags, nil
}
