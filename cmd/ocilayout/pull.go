package main

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// pullFlags say what pull brings, and where it writes the digest.
type pullFlags struct {
	from       registryFlags
	refsFrom   string
	allTags    bool
	digestFile string
}

// pull brings what args and flags say into the layout, or archive, that the last
// argument names.
func (f *pullFlags) pull(ctx context.Context, e *env, args []string, o registry.PullOptions) (_ any, err error) {
	sources, target := args[:len(args)-1], args[len(args)-1]
	ref, err := layout.ParseReference(target)
	if err != nil {
		return nil, err
	}
	archive := isArchive(target, ref)
	if err := f.check(sources, ref); err != nil {
		return nil, err
	}
	if archive && o.Policy != layout.Overwrite {
		return nil, &usageError{"--on-conflict is about layouts: an archive is made anew", "pull"}
	}
	s, err := f.from.session(e)
	if err != nil {
		return nil, err
	}
	wants, err := f.wants(ctx, e, s, sources)
	if err != nil {
		return nil, err
	}
	o.Name = ref.Name
	if archive {
		return f.archive(ctx, e, s, wants, ref, o)
	}
	// The first one is looked for before a layout is made.
	if wants[0].Found, err = registry.Find(ctx, s, wants[0].From); err != nil {
		return nil, err
	}
	dst, _, err := e.destination(ctx, target)
	if err != nil {
		return nil, err
	}
	defer closing(dst, &err)
	done, err := registry.PullAll(ctx, s, wants, dst, o)
	if err != nil {
		return nil, err
	}
	return pulled{done}, writeDigest(f.digestFile, done.Digest)
}

// check refuses what does not go together.
func (f *pullFlags) check(sources []string, target layout.Reference) error {
	many := len(sources) > 1 || f.refsFrom != "" || f.allTags
	switch {
	case target.Digest != "":
		return content.Errorf(content.ErrInvalid, "%s: a destination has no digest", target)
	case f.refsFrom != "" && (len(sources) > 0 || f.allTags):
		return &usageError{"--refs-from says which images: no other may be given", "pull"}
	case f.refsFrom == "" && len(sources) == 0:
		return &usageError{"say which images: REGISTRYREF, or --refs-from", "pull"}
	case f.refsFrom == "-" && f.from.password:
		return &usageError{"--refs-from and --password-stdin can't both read standard input", "pull"}
	case many && target.Name != "":
		return content.Errorf(content.ErrInvalid, "%s: several images can't have one name", target)
	case many && f.digestFile != "":
		return &usageError{"--digest-file is about one image", "pull"}
	}
	return nil
}

// wants lists what is to be pulled, at least one image.
func (f *pullFlags) wants(ctx context.Context, e *env, s *registry.Session, sources []string) (wants []registry.Want, err error) {
	if f.refsFrom != "" {
		wants, err = wantsIn(e, f.refsFrom)
	} else {
		wants, err = wantsOf(sources)
	}
	if err != nil {
		return nil, err
	}
	hosts := make([]string, len(wants))
	for i, w := range wants {
		hosts[i] = w.From.Host
	}
	if err := f.from.oneHost(hosts...); err != nil || !f.allTags {
		return wants, err
	}
	var all []registry.Want
	for _, w := range wants {
		tags, err := registry.AllTags(ctx, s, w.From)
		if err != nil {
			return nil, err
		}
		if len(tags) == 0 {
			return nil, content.At(w.From.Name(), content.Errorf(content.ErrNotFound, "it has no tags"))
		}
		all = append(all, tags...)
	}
	return all, nil
}

// wantsOf reads what is to be pulled from arguments.
func wantsOf(args []string) ([]registry.Want, error) {
	wants := make([]registry.Want, len(args))
	for i, arg := range args {
		from, err := registry.ParseReference(arg)
		if err != nil {
			return nil, err
		}
		wants[i] = registry.Want{From: from}
	}
	return wants, nil
}

// wantsIn reads what is to be pulled from a file.
func wantsIn(e *env, file string) ([]registry.Want, error) {
	list, err := e.refList(file)
	if err != nil {
		return nil, err
	}
	wants := make([]registry.Want, len(list))
	for i, line := range list {
		from, err := registry.ParseReference(line.source)
		if err == nil && line.target != "" {
			err = layout.CheckName(line.target)
		}
		if err != nil {
			return nil, line.at(err)
		}
		wants[i] = registry.Want{From: from, Name: line.target}
	}
	return wants, nil
}
