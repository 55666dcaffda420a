package main

import (
	"context"
	"maps"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
)

// attachPresets are files of known formats, whose types and annotations are read
// from the files.
type attachPresets struct {
	list       ordered
	anySubject bool
}

func (p *attachPresets) flags() []cli.Flag {
	return []cli.Flag{
		p.list.flag("sbom", "attach the SBOM in `FILE`, - for standard input: SPDX, CycloneDX or syft's own"),
		p.list.flag("attestation", "attach the in-toto statement in `FILE`, bare or in a DSSE envelope"),
		p.list.flag("sigstore-bundle", "attach the Sigstore bundle in `FILE`, as cosign does"),
		&cli.BoolFlag{Name: "any-subject", Destination: &p.anySubject, Usage: "take attestations and bundles that are about something else than REF"},
	}
}

func (p *attachPresets) given() bool { return len(p.list) > 0 }

// attachments makes an artifact of each preset file, in the order given, with the
// annotations and time that base has. "-" is standard input, kept in open, and has no
// title, as without a preset.
func (p *attachPresets) attachments(e *env, open *closers, subject content.Descriptor, base artifact.Options) ([]artifact.Attachment, error) {
	about := subject.Digest
	if p.anySubject {
		about = ""
		if len(p.list.of("attestation"))+len(p.list.of("sigstore-bundle")) == 0 {
			return nil, content.Errorf(content.ErrInvalid, "--any-subject is about --attestation and --sigstore-bundle")
		}
	}
	var list []artifact.Attachment
	for _, v := range p.list {
		var o artifact.Options
		var err error
		path := v.value
		if path == "-" {
			if path, err = e.spooledInput(open); err != nil {
				return nil, err
			}
		}
		switch v.flag {
		case "sbom":
			o, err = artifact.SBOM(path)
		case "attestation":
			o, err = artifact.Attestation(path, about)
		case "sigstore-bundle":
			o, err = artifact.SigstoreBundle(path, about)
		}
		if v.value == "-" {
			if err == nil {
				o.Files[0].Title = ""
			} else if at, ok := err.(*content.Error); ok {
				err = content.At("-", at.Err)
			}
		}
		if err == nil {
			o, err = withBase(o, base, "--"+v.flag)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, artifact.Attachment{Subject: subject, Options: o})
	}
	return list, nil
}

// withBase adds the annotations and time of flags to what a preset says. What a
// preset decides can't be given beside it.
func withBase(o, base artifact.Options, flag string) (artifact.Options, error) {
	if base.Type != "" || base.Config != nil || base.ConfigType != "" || len(base.Files) > 0 {
		return o, content.Errorf(content.ErrInvalid, "%s says what the artifact is made of: no other files, --type or --config beside it", flag)
	}
	all := maps.Clone(o.Annotations)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, base.Annotations)
	o.Annotations, o.Created = all, base.Created
	return o, nil
}

// putPresets are artifacts of other tools, in the form that these tools pull.
type putPresets struct {
	helm, provenance, flux, source, revision string
}

func (p *putPresets) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "helm", Destination: &p.helm, Usage: "store the packed Helm chart `FILE` as helm push does; its version becomes the tag"},
		&cli.StringFlag{Name: "prov", Destination: &p.provenance, Usage: "the provenance `FILE` of the chart"},
		&cli.StringFlag{Name: "flux", Destination: &p.flux, Usage: "store the manifests in `DIR` as flux push artifact does"},
		&cli.StringFlag{Name: "source", Destination: &p.source, Usage: "the `URL` that the manifests of --flux come from"},
		&cli.StringFlag{Name: "revision", Destination: &p.revision, Usage: "their `REVISION` there, such as main@sha1:..."},
	}
}

func (p *putPresets) given() bool { return *p != putPresets{} }

// apply makes the preset that was given, if one was, of base, and the name that
// it goes by.
func (p *putPresets) apply(ctx context.Context, name string, base artifact.Options) (string, artifact.Options, error) {
	switch {
	case p.helm != "" && p.flux != "":
		return "", base, content.Errorf(content.ErrInvalid, "--helm and --flux are two artifacts: store one at a time")
	case p.provenance != "" && p.helm == "":
		return "", base, content.Errorf(content.ErrInvalid, "--prov is of a chart: say --helm")
	case p.source+p.revision != "" && p.flux == "":
		return "", base, content.Errorf(content.ErrInvalid, "--source and --revision are of manifests for Flux: say --flux")
	case p.helm != "":
		chart, err := artifact.HelmChart(p.helm, p.provenance)
		if err != nil {
			return "", base, err
		}
		o, err := withBase(chart.Options, base, "--helm")
		return chart.In(name), o, err
	case p.flux != "":
		o, err := artifact.Flux(ctx, p.flux, p.source, p.revision)
		if err != nil {
			return "", base, err
		}
		o, err = withBase(o, base, "--flux")
		return name, o, err
	}
	return name, base, nil
}

// liftFlags make referrers of what is attached in older ways.
type liftFlags struct {
	lift bool
	o    artifact.LiftOptions
}

func (f *liftFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "lift", Destination: &f.lift, Usage: "make referrers of cosign's tags and BuildKit's attestations; they stay as they are"},
		&cli.BoolFlag{Name: "drop-tags", Destination: &f.o.DropTags, Usage: "with --lift, take away cosign's tags that were lifted whole"},
	}
}

// run lifts what is attached to the image.
func (f *liftFlags) run(ctx context.Context, e *env, arg, platform string) (_ any, err error) {
	l, ref, err := e.openWriter(arg)
	if err != nil {
		return nil, err
	}
	defer closing(l, &err)
	root, err := lookup(ctx, l.Reader, ref, platform)
	if err != nil {
		return nil, err
	}
	report, err := artifact.Lift(ctx, l, root.Descriptor, f.o)
	if err != nil {
		return nil, err
	}
	for _, s := range report.Skipped {
		e.warnf("%s", strings.TrimPrefix(s.Name+" "+s.From.String()+" is not lifted: "+s.Reason, " "))
	}
	return lifted(report), nil
}

// lifted shows what became referrers.
type lifted artifact.LiftReport

// Tables has a line for each new referrer, and for each tag that is gone.
func (l lifted) Tables() []render.Table {
	var rows [][]string
	for _, a := range l.Lifted {
		from := a.Name
		if from == "" {
			from = a.From.String()
		}
		note := "lifted from "
		if !a.New {
			note = "was lifted from "
		}
		rows = append(rows, []string{a.Digest.String(), a.ArtifactType, note + from})
	}
	for _, name := range l.Dropped {
		rows = append(rows, []string{name + " -> gone"})
	}
	return []render.Table{{Rows: rows}}
}
