package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// maxResumes is how often one download is taken up, even if it gets further each time.
const maxResumes = 100

// A download reads what a GET gives, and goes on where a connection ended. It proves
// nothing.
type download struct {
	ctx     context.Context
	repo    *Repository
	path    string   // in the repository
	address *url.URL // in place of path, if not nil
	accept  string

	// What the response said.
	mediaType string
	digest    string
	size      int64    // -1 if it did not
	next      *url.URL // the next page of a list

	body    io.ReadCloser
	offset  int64
	tries   int // since the last byte
	resumes int
}

// open sends the request for what is not read yet.
func (d *download) open() error {
	u := d.address
	if u == nil {
		u = d.repo.url(d.path)
	}
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	if d.accept != "" {
		req.Header.Set("Accept", d.accept)
	}
	if d.offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.offset))
	}
	resp, err := d.repo.c.do(req)
	if err != nil {
		return err
	}
	if err := d.begin(resp); err != nil {
		return err
	}
	if skip := d.offset; resp.StatusCode == http.StatusOK && skip > 0 { // from the start, whatever was asked for
		d.offset = 0
		return d.skip(skip)
	}
	return nil
}

// begin looks at the response.
func (d *download) begin(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusPartialContent:
		if got := resp.Header.Get("Content-Range"); d.offset == 0 || !strings.HasPrefix(got, fmt.Sprintf("bytes %d-", d.offset)) {
			_ = resp.Body.Close()
			return content.Errorf(content.ErrCorrupt, "the registry sends the part %q, wanted is what begins at %d", got, d.offset)
		}
	case http.StatusRequestedRangeNotSatisfiable:
		_ = resp.Body.Close()
		return content.Errorf(content.ErrCorrupt, "the registry has nothing at %d", d.offset)
	default:
		return refusal(resp)
	}
	next, err := nextPage(resp)
	if err != nil {
		_ = resp.Body.Close()
		return err
	}
	d.next, d.body, d.size = next, resp.Body, d.offset+resp.ContentLength
	if resp.ContentLength < 0 {
		d.size = -1
	}
	d.mediaType, d.digest = mediaType(resp), resp.Header.Get("Docker-Content-Digest")
	return nil
}

func (d *download) skip(n int64) error {
	_, err := io.CopyN(io.Discard, d, n)
	return err
}

// Read reads on, if need be from a new connection.
func (d *download) Read(p []byte) (int, error) {
	for {
		var err error
		if d.body == nil {
			if err = d.open(); err != nil {
				return 0, err
			}
		}
		n, err := d.body.Read(p)
		d.offset += int64(n)
		if n > 0 {
			d.tries = 0
		}
		if err == nil || err == io.EOF {
			return n, err
		}
		if err := d.again(err); err != nil {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

// again waits before the next connection, or says why there is none.
func (d *download) again(cause error) error {
	err := d.Close()
	d.tries++
	d.resumes++
	if d.ctx.Err() != nil {
		return context.Cause(d.ctx)
	}
	if d.tries > maxRetries || d.resumes > maxResumes {
		return errors.Join(content.Errorf(ErrUnavailable, "%s drops the connection after %d bytes, again and again: %v", d.repo.c.host, d.offset, innermost(cause)), err)
	}
	select {
	case <-d.ctx.Done():
		return context.Cause(d.ctx)
	case <-time.After(d.repo.c.o.pause() << (d.tries - 1)):
		return nil
	}
}

// Close ends the connection.
func (d *download) Close() error {
	if d.body == nil {
		return nil
	}
	_ = d.body.Close() // what it says is of no use: the bytes are proven or not
	d.body = nil
	return nil
}

// all reads the whole, of at most limit bytes.
func (d *download) all(limit int64) ([]byte, error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(d, limit+1))
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, content.Errorf(content.ErrRefused, "it has more than %d bytes", limit)
	}
	return data, nil
}

// nextPage reads the address of the next page of a list, which must be at the same
// registry.
func nextPage(resp *http.Response) (*url.URL, error) {
	for _, link := range resp.Header.Values("Link") {
		target, rel, ok := strings.Cut(link, ">")
		if !ok || !strings.HasPrefix(target, "<") || !strings.Contains(strings.ReplaceAll(rel, `"`, ""), "rel=next") {
			continue
		}
		next, err := resp.Request.URL.Parse(target[1:])
		if err != nil {
			return nil, content.Errorf(content.ErrCorrupt, "the address of the next page: %v", err)
		}
		if next.Scheme != resp.Request.URL.Scheme || next.Host != resp.Request.URL.Host {
			return nil, content.Errorf(content.ErrRefused, "the next page is at another host, %s", next.Host)
		}
		return next, nil
	}
	return nil, nil
}
