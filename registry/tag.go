package registry

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Tag gives what ref means, or its tag latest if it has neither tag nor digest, more tags
// in its repository, one after the other, and says what became of each. It may be done
// again any time. If it fails, the tags that have not been reported are as before.
//
// Requests, besides those for tokens: one for the manifest and one for each tag. What a
// tag pointed to is only asked, by one request more for each, if policy is not
// layout.Overwrite; else Change.Old is "". With layout.Fail a tag that has other content
// is ErrConflict, before any changes.
func Tag(ctx context.Context, s *Session, ref Reference, tags []string, policy layout.Policy) ([]layout.Change, error) {
	ref = ref.OrLatest()
	for _, tag := range tags {
		if _, err := ref.WithTag(tag); err != nil {
			return nil, err
		}
	}
	repo, err := s.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	ctx = repo.asPusher(ctx, "")
	d, data, err := repo.Manifest(ctx, ref.point())
	if err != nil {
		return nil, err
	}
	changes := make([]layout.Change, len(tags))
	for i, tag := range tags {
		changes[i] = layout.Change{Name: ref.with(tag), New: d.Digest}
	}
	if policy != layout.Overwrite {
		prior, err := (&pusher{repo: repo, to: ref, o: PushOptions{Policy: policy}}).before(ctx, d.Digest, tags)
		if err != nil {
			return nil, err
		}
		changes = prior.changes
	}
	for i, c := range changes {
		if c.Skipped || c.Old == c.New {
			continue
		}
		if _, err := repo.putManifest(ctx, d, data, tags[i]); err != nil {
			return changes[:i], err
		}
	}
	return changes, nil
}

// Untag takes tags away, and says which digest each had. A reference without a tag, or
// with a digest, is ErrInvalid, and then nothing is done. A registry that does not take
// away a tag alone is ErrUnsupported: the manifest is never deleted in its place. Where
// a registry deletes the manifest with its tag, which it should not, Options.Warn is told.
// If Untag fails, the tags that have not been reported are as before.
//
// Requests, besides those for tokens: three for each tag.
func Untag(ctx context.Context, s *Session, refs []Reference) ([]layout.Change, error) {
	for _, ref := range refs {
		if ref.Tag == "" || ref.Digest != "" {
			return nil, content.Errorf(content.ErrInvalid, "%s names no tag to take away; delete takes a digest", ref)
		}
	}
	changes := []layout.Change{}
	for _, ref := range refs {
		repo, err := s.Open(ctx, ref)
		if err != nil {
			return changes, err
		}
		ctx := repo.asDeleter(ctx)
		d, err := repo.Resolve(ctx, ref.Tag)
		if err != nil {
			return changes, err
		}
		if err := repo.remove(ctx, ref.Tag); err != nil {
			return changes, err
		}
		changes = append(changes, layout.Change{Name: ref.with(ref.Tag), Old: d.Digest})
		if _, err := repo.Resolve(ctx, d.Digest.String()); errors.Is(err, content.ErrNotFound) {
			repo.c.o.Warn(repo.at(d.Digest.String(), content.Errorf(content.ErrNotFound, "the registry deleted the manifest with its tag")))
		}
	}
	return changes, nil
}

// asDeleter says beforehand that a token must allow to delete, too.
func (r *Repository) asDeleter(ctx context.Context) context.Context {
	return auth.AppendScopesForHost(ctx, r.c.base.Host, auth.ScopeRepository(r.there(), auth.ActionPull, auth.ActionPush, auth.ActionDelete))
}

// remove deletes a tag, or what has a digest. ErrUnsupported says that the registry does
// not do that; ctx is asDeleter's.
func (r *Repository) remove(ctx context.Context, point string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, r.url("manifests/"+point).String(), nil)
	if err != nil {
		return err
	}
	resp, err := r.c.do(req)
	if err != nil {
		return r.at(point, err)
	}
	switch resp.StatusCode {
	case http.StatusAccepted, http.StatusOK, http.StatusNoContent:
		return resp.Body.Close()
	case http.StatusMethodNotAllowed, http.StatusBadRequest, http.StatusNotImplemented:
		what := "manifests"
		if !strings.Contains(point, ":") {
			what = "a tag alone"
		}
		return r.at(point, content.Errorf(content.ErrUnsupported, "the registry does not delete %s: %w", what, refusal(resp)))
	}
	return r.at(point, refusal(resp))
}
