package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// answer is a registry, and a token service, that says one thing to everything, for a
// while. No socket is opened.
type answer struct {
	status                           int
	contentType, digest, link, wants string
	body                             []byte
	asked                            int
}

const patience = 30 // answers

func (a *answer) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_ = req.Body.Close() // a RoundTripper must
	}
	a.asked++
	resp := &http.Response{
		StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{}, ContentLength: int64(len(a.body)), Body: io.NopCloser(bytes.NewReader(a.body)),
	}
	if a.asked > patience {
		resp.StatusCode = http.StatusNotFound
	}
	if req.Header.Get("Authorization") != "" && a.status == http.StatusUnauthorized {
		resp.StatusCode = http.StatusOK // what was wanted is there
	}
	for name, value := range map[string]string{
		"Content-Type": a.contentType, "Docker-Content-Digest": a.digest, "Link": a.link, "Www-Authenticate": a.wants,
		"Location": a.link, "Content-Range": a.link,
	} {
		if value != "" {
			resp.Header.Set(name, value)
		}
	}
	if req.Method == http.MethodHead {
		resp.Body = http.NoBody
	}
	return resp, nil
}

var statusLine = regexp.MustCompile(`(^|: )[1-9][0-9]{2} `)

// FuzzAnswers: whatever a registry answers to a question for a manifest, a blob, tags or
// referrers, the question ends, what is told is proven or has the form it must have,
// and an error has a kind and one line.
func FuzzAnswers(f *testing.F) {
	l := build.Hello()
	manifest, digest := l.Blobs[l.Entries[0].Digest], l.Entries[0].Digest.String()
	list := build.JSON(build.IndexOf(l.Entries[0]))
	const bearer = `Bearer realm="http://127.0.0.1:5000/token",service="registry",scope="repository:app:pull"`
	for _, seed := range []answer{
		{status: 200, contentType: ocispec.MediaTypeImageManifest, digest: digest, body: manifest},
		{status: 200, contentType: ocispec.MediaTypeImageIndex, body: list},
		{status: 200, contentType: ocispec.MediaTypeImageIndex + "; charset=utf-8", link: `</v2/app/referrers/` + digest + `?n=2>; rel="next"`, body: list},
		{status: 200, contentType: "application/json", link: `<http://other.example.com/v2/>; rel=next`, body: []byte(`{"tags":["v1","latest"]}`)},
		{status: 200, contentType: "application/json", link: `</v2/app/tags/list?last=v1>; rel="next"`, body: []byte(`{"name":"app","tags":["v1","../x"]}`)},
		{status: 200, contentType: "application/json", body: []byte(`{"tags":[1]}`)},
		{status: 401, wants: bearer, contentType: "application/json", body: []byte(`{"token":"abc","expires_in":60,"errors":[{"code":"UNAUTHORIZED","message":"authentication\nrequired"}]}`)},
		{status: 401, wants: `Basic realm="x"`, body: []byte(`{"errors":[{"code":"DENIED","message":"no"}]}`)},
		{status: 401, wants: `Bearer realm="ht!tp://[", scope="`, body: []byte(`{"access_token":1}`)},
		{status: 403, body: []byte(`{"errors":[{}]}`)},
		{status: 403, body: []byte(`{"errors":[{"code":"DENIED","message":"not\nyours"}]}`)},
		{status: 404, body: []byte(`{"errors":[{"code":"MANIFEST_UNKNOWN","detail":{"x":1}}]}`)},
		{status: 307, link: "http://127.0.0.1:1/x"},
		{status: 206, link: "bytes 5-9/10", body: []byte("01234")},
		{status: 429, body: []byte(`slow down`)}, {status: 500}, {status: 418, body: []byte("<html>")},
	} {
		f.Add(uint16(seed.status), seed.contentType, seed.digest, seed.link, seed.wants, seed.body)
	}
	ref := Reference{Host: "127.0.0.1:5000", Repository: "app", Tag: "v1"}
	f.Fuzz(func(t *testing.T, status uint16, contentType, digest, link, wants string, body []byte) {
		a := answer{int(status), contentType, digest, link, wants, body, 0}
		if status < 200 || status > 599 {
			a.status = 200 + int(status)%400
		}
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		ask := func(question string, do func(r *Repository) error) {
			a.asked = 0
			s := NewSession(Options{Username: "u", Password: "p", Pause: time.Nanosecond, Stall: time.Second}, nil)
			r, err := s.Open(ctx, ref)
			if err != nil {
				t.Fatal(err)
			}
			r.c.auth.Client = &http.Client{
				Transport:     &retry.Transport{Base: guard{&a, func() {}}, Policy: func() retry.Policy { return policy{time.Nanosecond, maxRetries} }},
				CheckRedirect: checkRedirect,
			}
			err = do(r)
			if ctx.Err() != nil {
				t.Fatalf("%s: does not end", question)
			}
			if err == nil {
				return
			}
			known := statusLine.MatchString(err.Error())
			for _, kind := range []error{
				content.ErrCorrupt, content.ErrRefused, content.ErrUnsupported, content.ErrNotFound,
				ErrUnauthorized, ErrDenied, ErrRateLimited, ErrUnavailable,
			} {
				known = known || errors.Is(err, kind)
			}
			if !known {
				t.Errorf("%s: an error of no kind: %v", question, err)
			}
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("%s: an error of several lines: %q", question, err)
			}
		}
		want := l.Entries[0]
		for _, point := range []string{"v1", want.Digest.String()} {
			ask("manifest "+point, func(r *Repository) error {
				d, data, err := r.Manifest(ctx, point)
				if err == nil && (d.Digest.Algorithm().FromBytes(data) != d.Digest || d.Size != int64(len(data)) || point != "v1" && d.Digest != want.Digest) {
					t.Errorf("manifest %s: %+v is told of %q", point, d, data)
				}
				return err
			})
			ask("resolve "+point, func(r *Repository) error {
				d, err := r.Resolve(ctx, point)
				if err == nil && (content.CheckDigest(d.Digest) != nil || d.Size < 0 || point != "v1" && d.Digest != want.Digest) {
					t.Errorf("resolve %s: %+v", point, d)
				}
				return err
			})
		}
		ask("tags", func(r *Repository) error {
			tags, err := r.Tags(ctx)
			for _, tag := range tags {
				if _, errTag := ref.WithTag(tag); err == nil && errTag != nil {
					t.Errorf("tags: %q: %v", tag, errTag)
				}
			}
			return err
		})
		ask("referrers", func(r *Repository) error {
			return r.Referrers(ctx, want, "", func(list []content.Descriptor) error {
				for _, d := range list {
					if content.CheckDigest(d.Digest) != nil || d.Size < 0 {
						t.Errorf("referrers: %+v", d)
					}
				}
				return nil
			})
		})
		ask("blob", func(r *Repository) error {
			blob := build.Descriptor(ocispec.MediaTypeImageLayer, manifest)
			rc, err := r.Fetch(ctx, blob)
			if err != nil {
				return err
			}
			data, err := io.ReadAll(rc)
			if err == nil && !bytes.Equal(data, manifest) {
				t.Errorf("blob: %q is told to be %s", data, blob.Digest)
			}
			return errors.Join(err, rc.Close())
		})
	})
}
