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

// Repositories lists the repositories of a registry, a thousand with each request
// (docker's catalog, which distribution-spec does not have). Many registries do not
// offer it: ErrUnsupported.
func (s *Session) Repositories(ctx context.Context, host string) ([]string, error) {
	r, err := s.Open(ctx, Reference{Host: host})
	if err != nil {
		return nil, err
	}
	ctx = auth.AppendScopes(ctx, auth.ScopeRegistryCatalog)
	var names []string
	u := r.c.url("_catalog")
	u.RawQuery = "n=1000"
	for u != nil {
		var page struct {
			Repositories []string `json:"repositories"`
		}
		d := &download{ctx: ctx, repo: r, address: u}
		data, err := d.all(r.c.o.Limits.Index)
		if errors.Is(err, content.ErrNotFound) {
			err = content.Errorf(content.ErrUnsupported, "it does not list its repositories")
		} else if err == nil {
			err = json.Unmarshal(data, &page)
		}
		if err != nil {
			return nil, content.At(host, fmt.Errorf("the list of repositories: %w", err))
		}
		for _, name := range page.Repositories {
			if ref, err := ParseReference(host + "/" + name); err != nil || ref.Tag != "" || ref.Digest != "" {
				return nil, content.At(host, content.Errorf(content.ErrCorrupt, "the list of repositories has %q, which can't be one", name))
			}
		}
		names = append(names, page.Repositories...)
		if len(names) > maxRepositories || d.next != nil && len(page.Repositories) == 0 {
			return nil, content.At(host, content.Errorf(content.ErrRefused, "the list of repositories does not end"))
		}
		u = d.next
	}
	return names, nil
}
