package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/ocilayout/ocilayout/content"
)

// maxRepositories is the most repositories that are read of one registry.
const maxRepositories = 1_000_000

// Repositories lists the repositories of the registry called host, a thousand with each
// request. Many registries refuse that, or give only a part: a refusal is an error that
// says so, of the kind that the answer is of.
func Repositories(ctx context.Context, s *Session, host string) ([]string, error) {
	r, err := s.Open(ctx, Reference{Host: host})
	if err != nil {
		return nil, err
	}
	names, err := r.catalog(auth.AppendScopesForHost(ctx, r.c.base.Host, auth.ScopeRegistryCatalog))
	if errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrDenied) || errors.Is(err, content.ErrNotFound) || errors.Is(err, content.ErrUnsupported) {
		err = fmt.Errorf("it does not list its repositories: %w", err)
	}
	return names, content.At(host, err)
}

func (r *Repository) catalog(ctx context.Context) ([]string, error) {
	names := []string{}
	u := r.c.url("_catalog")
	query := u.Query()
	query.Set("n", "1000")
	u.RawQuery = query.Encode()
	for u != nil {
		var page struct {
			Repositories []string `json:"repositories"`
		}
		d := &download{ctx: ctx, repo: r, address: u}
		data, err := d.all(r.c.o.Limits.Index)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &page); err != nil {
			return nil, content.Errorf(content.ErrCorrupt, "the list of repositories: %v", err)
		}
		for _, name := range page.Repositories {
			if ref, err := ParseReference(r.ref.Host + "/" + name); err != nil || ref.Tag != "" || ref.Digest != "" {
				return nil, content.Errorf(content.ErrCorrupt, "the list of repositories has %q, which can't be one", name)
			}
		}
		names = append(names, page.Repositories...)
		if len(names) > maxRepositories || d.next != nil && len(page.Repositories) == 0 {
			return nil, content.Errorf(content.ErrRefused, "the list of repositories does not end")
		}
		u = d.next
	}
	return names, nil
}
