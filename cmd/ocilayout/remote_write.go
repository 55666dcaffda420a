package main

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// forRegistries is what commands say that change layouts and registries.
const forRegistries = "Flags about registries are for such alone."

// tag gives what a registry has more tags.
func (f *registryFlags) tag(ctx context.Context, e *env, args []string, o layout.TagOptions) (any, error) {
	if o.Keep {
		return nil, content.Errorf(content.ErrInvalid, "--keep is about layouts, and %s is in a registry", args[0])
	}
	ref, s, err := f.target(e, args[0])
	if err != nil {
		return nil, err
	}
	done, err := registry.Tag(ctx, s, ref, args[1:], o.Policy)
	if err != nil {
		return nil, err
	}
	return changes(done), nil
}

// untag takes tags of registries away.
func (f *registryFlags) untag(ctx context.Context, e *env, args []string, o layout.UntagOptions) (any, error) {
	if o.Keep || o.WithReferrers {
		return nil, content.Errorf(content.ErrInvalid, "--keep and --with-referrers are about layouts, and %s is in a registry", args[0])
	}
	s, err := f.session(e)
	if err != nil {
		return nil, err
	}
	var refs []registry.Reference
	var hosts []string
	for _, arg := range args {
		if !registry.IsReference(arg) {
			return nil, content.Errorf(content.ErrInvalid, "%s is in no registry, and %s is: untag them one after the other", arg, args[0])
		}
		ref, err := registry.ParseReference(arg)
		if err != nil {
			return nil, err
		}
		refs, hosts = append(refs, ref), append(hosts, ref.Host)
	}
	if err := f.oneHost(hosts...); err != nil {
		return nil, err
	}
	done, err := registry.Untag(ctx, s, refs)
	if err != nil {
		return nil, err
	}
	return changes(done), nil
}

// remove deletes what a registry has.
func (f *registryFlags) remove(ctx context.Context, e *env, arg string, withReferrers, yes bool) (any, error) {
	if !yes {
		return nil, &usageError{"what a registry deletes can't be had back: say --yes", "delete"}
	}
	ref, s, err := f.target(e, arg)
	if err != nil {
		return nil, err
	}
	done, err := registry.Delete(ctx, s, ref, withReferrers)
	return e.deleted(done, err)
}

// deleted is the result of a deletion, and tells of what lost its subject.
func (e *env) deleted(done layout.Deletion, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if done.Left > 0 {
		e.warnf("%d referrers of %s stay without their subject", done.Left, done.Digest)
	}
	return deletion{done}, nil
}
