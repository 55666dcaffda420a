package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// upload sends a blob unless the registry can mount it, which it says in answer to
// the same request that begins an upload: from the repository called from, or where
// that is "" from this one, which has it if the answer is yes. ctx is asPusher's.
func (r *Repository) upload(ctx context.Context, src content.Fetcher, d content.Descriptor, from string) (mounted bool, err error) {
	if from == "" {
		from = r.ref.Repository
	}
	from = r.c.prefix + from
	for attempt := 0; ; attempt++ {
		mounted, err = r.tryUpload(ctx, src, d, from)
		var outside sourceError
		if errors.As(err, &outside) {
			return false, outside.error
		}
		var started startedError
		if err == nil || ctx.Err() != nil || !errors.As(err, &started) {
			return mounted, r.at(d.Digest.String(), err)
		}
		if !started.passes || attempt == maxRetries {
			if own := proveOwn(ctx, src, d); own != nil {
				return false, own
			}
			return false, r.at(d.Digest.String(), err)
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(max(r.c.o.pause()<<attempt, started.after)):
		}
	}
}

// A startedError is one of an upload that had begun: the transport does not try it
// again, since what the registry took of it is unknown. It may pass if the upload begins
// anew, after a while.
type startedError struct {
	error
	passes bool
	after  time.Duration
}

func (e startedError) Unwrap() error { return e.error }

// notTaken is the error of an upload that ended with this answer.
func notTaken(resp *http.Response) error {
	after, _ := retryAfter(resp.Header.Get("Retry-After"))
	passes := transient(resp, nil) && after <= maxPause
	err := refusal(resp)
	if errors.Is(err, content.ErrNotFound) { // not that there is no such blob
		err, passes = content.Errorf(ErrUnavailable, "the registry forgot the upload: %v", err), true
	}
	return startedError{err, passes, after}
}

// A sourceError is about what is sent, and not about the registry.
type sourceError struct{ error }

func (e sourceError) Unwrap() error { return e.error }

func (r *Repository) tryUpload(ctx context.Context, src content.Fetcher, d content.Descriptor, from string) (bool, error) {
	query := url.Values{"mount": {d.Digest.String()}, "from": {from}}
	resp, err := r.beginUpload(ctx, query)
	if err != nil {
		return false, err
	}
	if s := resp.StatusCode; s >= 400 && s < 500 && s != http.StatusTooManyRequests {
		// Not a repository to mount from: that is no reason not to upload.
		_ = resp.Body.Close()
		if resp, err = r.beginUpload(ctx, nil); err != nil {
			return false, err
		}
	}
	switch resp.StatusCode {
	case http.StatusCreated:
		return true, resp.Body.Close()
	case http.StatusAccepted:
		_ = resp.Body.Close() // there is nothing in it
	default:
		return false, refusal(resp)
	}
	target, err := uploadURL(resp, d)
	if err != nil {
		return false, err
	}
	body, err := openBlob(ctx, src, d, r.c.base.Scheme == "http" && isLoopback(r.c.base.Host))
	if errors.Is(err, content.ErrNotFound) {
		err = content.AtDigest(d.Digest, content.Errorf(content.ErrMissing, "the blob is missing: %w", err))
	}
	if err != nil {
		return false, sourceError{err}
	}
	return false, r.sendBlob(ctx, target, resp.Request.Header.Get("Authorization"), body, d)
}

func (r *Repository) beginUpload(ctx context.Context, query url.Values) (*http.Response, error) {
	u := r.url("blobs/uploads/")
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return nil, err
	}
	return r.c.do(req)
}

// uploadURL is where the registry wants the blob, which must be itself.
func uploadURL(resp *http.Response, d content.Descriptor) (*url.URL, error) {
	u, err := resp.Location()
	if err != nil {
		return nil, content.Errorf(content.ErrCorrupt, "the registry does not say where to upload to")
	}
	asked := resp.Request.URL
	if u.Hostname() == asked.Hostname() && u.Port() == "" && asked.Port() == "443" {
		u.Host = asked.Host
	}
	if u.Scheme != asked.Scheme || !strings.EqualFold(u.Host, asked.Host) {
		return nil, content.Errorf(content.ErrRefused, "the registry wants the upload at another address, %s://%s", u.Scheme, u.Host)
	}
	q := u.Query()
	q.Set("digest", d.Digest.String())
	u.RawQuery = q.Encode()
	return u, nil
}

// putManifest puts a manifest under a tag or its digest. handled says whether the
// registry lists it with the referrers of its subject by itself. ctx is asPusher's.
func (r *Repository) putManifest(ctx context.Context, d content.Descriptor, data []byte, point string) (handled bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, r.url("manifests/"+point).String(), bytes.NewReader(data))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", d.MediaType)
	resp, err := r.c.do(req)
	if err != nil {
		return false, r.at(point, err)
	}
	if resp.StatusCode != http.StatusCreated {
		return false, r.at(point, fmt.Errorf("the registry does not take the manifest: %w", refusal(resp)))
	}
	if got := resp.Header.Get("Docker-Content-Digest"); got != "" && got != d.Digest.String() && strings.HasPrefix(got, d.Digest.Algorithm().String()+":") {
		return false, errors.Join(r.at(point, content.Errorf(content.ErrDigest, "the registry made %s of it", got)), resp.Body.Close())
	}
	return resp.Header.Get("OCI-Subject") != "", resp.Body.Close()
}
