package main

import (
	"context"
	"errors"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// pushFlags say what push sends, and where it writes the digest.
type pushFlags struct {
	to         registryFlags
	refsFrom   string
	allTags    bool
	digestFile string
}

// push sends what args and flags say.
func (f *pushFlags) push(ctx context.Context, e *env, args []string, o registry.PushOptions) (_ any, err error) {
	if err := f.check(args, o); err != nil {
		return nil, err
	}
	if f.refsFrom != "" {
		return f.pushList(ctx, e, args, o)
	}
	target, s, err := f.to.target(e, args[1])
	if err != nil {
		return nil, err
	}
	r, ref, err := e.openReader(args[0])
	if err != nil {
		return nil, err
	}
	defer closing(r, &err)
	if f.allTags {
		return pushAll(ctx, s, r, ref, target, o)
	}
	done, err := registry.Push(ctx, s, r, ref, target, o)
	if err != nil {
		return nil, err
	}
	return pushed{done}.outcome(f.digestFile)
}

// check refuses what does not go together.
func (f *pushFlags) check(args []string, o registry.PushOptions) error {
	switch {
	case f.refsFrom == "" && len(args) < 2:
		return &usageError{"push needs REF REGISTRYREF, or --refs-from", "push"}
	case f.refsFrom != "" && len(args) > 1:
		return &usageError{"--refs-from says what to send: at most a REPOSITORY may be given", "push"}
	case f.refsFrom != "" && (f.allTags || len(o.Tags) > 0):
		return &usageError{"--refs-from says which tags: no --all-tags or --tag beside it", "push"}
	case f.refsFrom == "-" && f.to.password:
		return &usageError{"--refs-from and --password-stdin can't both read standard input", "push"}
	case f.digestFile != "" && (f.allTags || f.refsFrom != ""):
		return &usageError{"--digest-file is about one image", "push"}
	}
	return nil
}

// pushAll sends all images of a layout.
func pushAll(ctx context.Context, s *registry.Session, r *layout.Reader, ref layout.Reference, to registry.Reference, o registry.PushOptions) (any, error) {
	if err := wholeLayout(ref); err != nil {
		return nil, err
	}
	done, err := registry.PushAll(ctx, s, r, to, o)
	if err != nil {
		return nil, err
	}
	return pushed{done}.outcome("")
}

// pushList sends what a file lists.
func (f *pushFlags) pushList(ctx context.Context, e *env, args []string, o registry.PushOptions) (any, error) {
	s, err := f.to.session(e)
	if err != nil {
		return nil, err
	}
	var base registry.Reference
	if len(args) > 0 {
		if base, err = registry.ParseReference(args[0]); err != nil {
			return nil, err
		}
	}
	lines, err := e.refList(f.refsFrom)
	if err != nil {
		return nil, err
	}
	jobs := make([]copyJob, len(lines))
	hosts := make([]string, len(lines))
	for i, line := range lines {
		jobs[i] = copyJob{source: line.source, target: line.target, line: line}
		hosts[i] = base.Host
		switch {
		case strings.Contains(line.target, "/"):
			place, err := registry.ParseReference(line.target)
			if err != nil {
				return nil, line.at(err)
			}
			jobs[i].place, hosts[i] = place.OrLatest(), place.Host
		case base == registry.Reference{}:
			return nil, line.at(content.Errorf(content.ErrInvalid, "it does not say where %s goes: HOST/REPOSITORY[:TAG]", line.source))
		}
	}
	if err := f.to.oneHost(hosts...); err != nil {
		return nil, err
	}
	work, err := e.shipments(ctx, jobs, base)
	if err != nil {
		return nil, errors.Join(err, work.Close())
	}
	done, err := work.send(ctx, s, o)
	if err := errors.Join(err, work.Close()); err != nil {
		return nil, err
	}
	return pushed{done}.outcome("")
}
