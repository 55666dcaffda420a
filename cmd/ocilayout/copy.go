package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// copyFlags say what copy takes, from where and to where.
type copyFlags struct {
	o                    layout.TransferOptions
	who                  forFlags
	src, dst             registryFlags
	along                referrerFlags
	pull                 registry.PullOptions // of what is in registries
	list                 ordered
	conflict             string
	refsFrom, digestFile string
	dryRun               bool
}

func (f *copyFlags) flags() []cli.Flag {
	f.src.side, f.dst.side = sourceSide, destinationSide
	flags := append([]cli.Flag{
		&cli.StringFlag{Name: "refs-from", Destination: &f.refsFrom, Usage: "read from `FILE`, or standard input if it is -, what to copy"},
		f.list.flag("platform", "take only the image for `PLATFORM` of an index, which is kept as it is"),
		&cli.BoolFlag{Name: "narrow", Destination: &f.o.Narrow, Usage: narrowUsage},
		&cli.BoolFlag{Name: "link", Destination: &f.o.Link, Usage: "make hard links to blobs where that can be; they are not read, and share the fate of the source's"},
		&cli.StringFlag{Name: "on-conflict", Value: "overwrite", Destination: &f.conflict, Usage: policyUsage},
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Destination: &f.dryRun, Usage: "to a registry: send nothing; exit 5 if there is something to send"},
		&cli.StringFlag{Name: "digest-file", Destination: &f.digestFile, Usage: "to or from a registry: write the digest of the one image to `FILE`"},
	}, f.who.flags()...)
	flags = append(flags, f.along.flags()...)
	return append(append(flags, f.src.flags()...), f.dst.flags()...)
}

// narrowUsage is the help of --narrow.
const narrowUsage = "make a new index that lists only what is taken; it has another digest, and what refers to the old one stays behind"

// run copies what the arguments but the last name to the last.
func (f *copyFlags) run(ctx context.Context, e *env, args []string) (_ any, err error) {
	if f.o.Policy, err = parsePolicy(f.conflict); err != nil {
		return nil, err
	}
	if f.o.Platforms, err = parsePlatforms(f.list.of("platform")); err != nil {
		return nil, err
	}
	if err := f.along.fill(&f.pull); err != nil {
		return nil, err
	}
	f.o.NoReferrers = f.pull.NoReferrers
	from, to := args[:len(args)-1], args[len(args)-1]
	jobs, err := copyJobs(e, f.refsFrom, from)
	if err != nil {
		return nil, err
	}
	s, err := f.session(e, jobs, to)
	if err != nil {
		return nil, err
	}
	if registry.IsReference(to) {
		return f.toRegistry(ctx, e, s, jobs, to)
	}
	if f.dryRun {
		return nil, &usageError{"--dry-run is about a registry that is copied to", "copy"}
	}
	return f.toLayout(ctx, e, s, jobs, to)
}

// A copyJob is one source, and what it is called where it goes.
type copyJob struct {
	source, target string
	remote         bool
	ref            registry.Reference // of a remote one
	place          registry.Reference // where it goes, if target says all of that
	line           listedRef          // where it was read, if it was in a file
}

// at puts the line in front of an error, if there is one.
func (j copyJob) at(err error) error {
	if j.line.where == "" {
		return err
	}
	return j.line.at(err)
}

// copyJobs lists what is copied: of arguments, or of a file.
func copyJobs(e *env, file string, args []string) ([]copyJob, error) {
	if (file != "") == (len(args) > 0) {
		return nil, &usageError{"say what to copy: SOURCE, or --refs-from, and not both", "copy"}
	}
	var lines []listedRef
	for _, arg := range args {
		lines = append(lines, listedRef{source: arg})
	}
	if file != "" {
		var err error
		if lines, err = e.refList(file); err != nil {
			return nil, err
		}
	}
	jobs := make([]copyJob, len(lines))
	for i, line := range lines {
		j := copyJob{source: line.source, target: line.target, line: line, remote: registry.IsReference(line.source)}
		if j.remote {
			var err error
			if j.ref, err = registry.ParseReference(j.source); err != nil {
				return nil, j.at(err)
			}
			j.ref = j.ref.OrLatest()
		}
		jobs[i] = j
	}
	return jobs, nil
}

// session speaks to either side as its flags say. Flags for a side that is in no registry
// are refused.
func (f *copyFlags) session(e *env, jobs []copyJob, to string) (*registry.Session, error) {
	var remote []copyJob
	for _, j := range jobs {
		if j.remote {
			remote = append(remote, j)
		}
	}
	if len(remote) == 0 {
		if err := f.src.only(jobs[0].source); err != nil {
			return nil, err
		}
	}
	if !registry.IsReference(to) {
		if err := f.dst.only(to); err != nil {
			return nil, err
		}
	}
	if len(remote) == 0 && !registry.IsReference(to) {
		if f.digestFile != "" {
			return nil, &usageError{"--digest-file is about registries", "copy"}
		}
		return nil, nil
	}
	if f.o.Link || f.who.consumer+f.who.repository != "" {
		return nil, &usageError{"--link, --for and --base-name are about layouts alone", "copy"}
	}
	return f.open(e, remote, to)
}

func (f *copyFlags) open(e *env, remote []copyJob, to string) (*registry.Session, error) {
	from, err := f.src.options(e)
	if err != nil {
		return nil, err
	}
	hosts := map[string]registry.Options{}
	var names []string
	for _, j := range remote {
		hosts[j.ref.Host] = from
		names = append(names, j.ref.Host)
	}
	if err := f.src.oneHost(names...); err != nil {
		return nil, err
	}
	if !registry.IsReference(to) {
		return registry.NewSession(from, hosts), nil
	}
	there, err := f.dst.options(e)
	if err != nil {
		return nil, err
	}
	target, err := registry.ParseReference(to)
	if err != nil {
		return nil, err
	}
	if _, both := hosts[target.Host]; !both || f.dst.given() {
		if both && f.src.given() {
			return nil, content.Errorf(content.ErrInvalid, "%s is both source and destination: give flags about it for one of these", target.Host)
		}
		hosts[target.Host] = there
	}
	if len(remote) == 0 {
		from = there
	}
	for _, set := range []struct {
		name   string
		of     *string
		second string
	}{{"hosts-dir", &from.HostsDir, there.HostsDir}, {"registries-conf", &from.RegistriesConf, there.RegistriesConf}} {
		if *set.of = cmp.Or(*set.of, set.second); set.second != "" && set.second != *set.of {
			return nil, content.Errorf(content.ErrInvalid, "--src-%[1]s and --dst-%[1]s: one is for both sides", set.name)
		}
	}
	return registry.NewSession(from, hosts), nil
}

// toLayout copies to a layout: what is in registries by one pull, and all else by one
// transfer.
func (f *copyFlags) toLayout(ctx context.Context, e *env, s *registry.Session, jobs []copyJob, to string) (_ any, err error) {
	whom, err := f.who.parse()
	if err != nil {
		return nil, err
	}
	if whom != "" && f.o.Narrow {
		return nil, &usageError{"--for narrows as its consumer wants it: no --narrow beside it", "copy"}
	}
	ref, err := layout.ParseReference(to)
	if err != nil {
		return nil, err
	}
	if len(jobs) > 1 && s != nil && (ref.Name != "" || f.digestFile != "") {
		return nil, content.Errorf(content.ErrInvalid, "several sources have no one name or digest")
	}
	local, wants, err := f.sorted(ctx, e, s, jobs)
	if err != nil {
		return nil, err
	}
	defer closing(local, &err)
	dst, name, err := e.destination(ctx, to)
	if err != nil {
		return nil, err
	}
	defer closing(dst, &err)
	if whom != "" {
		return e.copyFor(ctx, dst, local, consumer.CopyOptions{For: whom, Platforms: f.o.Platforms, Name: name,
			Repository: f.who.repository, Link: f.o.Link, Policy: f.o.Policy})
	}
	f.o.Name = name
	return f.bring(ctx, s, dst, local, wants)
}

// sorted opens the sources that are layouts, and looks for the first of the others: a
// destination is not made for nothing.
func (f *copyFlags) sorted(ctx context.Context, e *env, s *registry.Session, jobs []copyJob) (local sources, wants []registry.Want, err error) {
	var args []string
	for _, j := range jobs {
		switch {
		case j.remote:
			wants = append(wants, registry.Want{From: j.ref, Name: j.target})
		case f.along.given():
			return nil, nil, j.at(content.Errorf(content.ErrInvalid, "%s is in a layout: --referrer-type and bounds are about what comes from a registry or goes to one", j.source))
		case j.target != "":
			return nil, nil, j.at(content.Errorf(content.ErrInvalid, "%s is in a layout, and keeps its name there", j.source))
		default:
			args = append(args, j.source)
		}
	}
	if len(wants) > 0 {
		if wants[0].Found, err = registry.Find(ctx, s, wants[0].From); err != nil {
			return nil, nil, err
		}
	}
	local, err = e.sources(ctx, args)
	return local, wants, err
}

func (f *copyFlags) bring(ctx context.Context, s *registry.Session, dst *layout.Layout, local sources, wants []registry.Want) (any, error) {
	report := layout.TransferReport{Changes: []layout.Change{}}
	if len(local) > 0 {
		done, err := layout.Transfer(ctx, dst, local, f.o)
		if err != nil {
			return nil, err
		}
		report = done
	}
	if len(wants) == 0 {
		return transfer{report}, nil
	}
	o := f.pull
	o.Name, o.Platforms, o.Narrow, o.Policy = f.o.Name, f.o.Platforms, f.o.Narrow, f.o.Policy
	done, err := registry.PullAll(ctx, s, wants, dst, o)
	if err != nil {
		return nil, err
	}
	report.Join(done.TransferReport)
	done.TransferReport = report
	return pulled{done}, writeDigest(f.digestFile, done.Digest)
}

// toRegistry copies to a registry, one source after the other.
func (f *copyFlags) toRegistry(ctx context.Context, e *env, s *registry.Session, jobs []copyJob, to string) (any, error) {
	base, err := registry.ParseReference(to)
	if err != nil {
		return nil, err
	}
	o := registry.PushOptions{
		Platforms: f.o.Platforms, Narrow: f.o.Narrow, Policy: f.o.Policy, DryRun: f.dryRun, NoReferrers: f.pull.NoReferrers,
		ReferrerTypes: f.pull.ReferrerTypes, MaxReferrers: f.pull.MaxReferrers, MaxReferrerBytes: f.pull.MaxReferrerBytes,
	}
	work, err := e.shipments(ctx, jobs, base)
	if err != nil {
		return nil, errors.Join(err, work.Close())
	}
	if f.digestFile != "" && (len(work) != 1 || work[0].all) {
		return nil, errors.Join(&usageError{"--digest-file is about one image", "copy"}, work.Close())
	}
	done, err := work.send(ctx, s, o)
	if err := errors.Join(err, work.Close()); err != nil {
		return nil, err
	}
	return pushed{done}.outcome(f.digestFile)
}
