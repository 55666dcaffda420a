package main

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// A shipment is what goes to one place in a registry.
type shipment struct {
	copyJob
	all    bool           // of the layout
	reader *layout.Reader // of a layout
	in     layout.Reference
	to     registry.Reference
}

// shipments are several; Close closes their layouts.
type shipments []shipment

// shipments opens what jobs mean, and finds out where each goes: to the target that is
// given for it, else to base, or if that has neither tag nor digest under the tag that it
// has. What has none goes under its digest.
func (e *env) shipments(ctx context.Context, jobs []copyJob, base registry.Reference) (shipments, error) {
	var work shipments
	if len(jobs) > 1 && (base.Tag != "" || base.Digest != "") {
		return work, content.Errorf(content.ErrInvalid, "%s is one image, and there are several sources: name the repository", base)
	}
	taken := map[string]string{}
	for _, j := range jobs {
		work = append(work, shipment{copyJob: j, to: base})
		w := &work[len(work)-1]
		if err := w.open(ctx, e); err != nil {
			return work, j.at(err)
		}
		key := w.to.String()
		if other, ok := taken[key]; ok && !w.all {
			return work, j.at(content.Errorf(content.ErrAmbiguous, "%s and %s would both go to %s", other, j.source, key))
		}
		taken[key] = j.source
	}
	return work, nil
}

func (w *shipment) open(ctx context.Context, e *env) (err error) {
	if w.place.Host != "" {
		w.to = w.place
	} else if w.target != "" {
		if w.to, err = w.to.WithTag(w.target); err != nil {
			return err
		}
	}
	named := w.to.Tag != "" || w.to.Digest != ""
	if w.remote {
		if !named && w.ref.Tag != "" {
			w.to.Tag = w.ref.Tag
		} else if !named {
			w.to.Digest = w.ref.Digest
		}
		return nil
	}
	if w.reader, w.in, err = e.openReader(w.source); err != nil {
		return err
	}
	if w.all = !named && w.in.Name == "" && w.in.Digest == ""; w.all {
		return nil
	}
	entry, err := w.reader.Lookup(ctx, w.in)
	if err != nil || named {
		return content.At(w.reader.Path(), err)
	}
	if entry.Name() == "" {
		w.to.Digest = entry.Digest
		return nil
	}
	_, tag, _ := layout.NormalizeName(entry.Name())
	w.to, err = w.to.WithTag(tag)
	return content.At(entry.Name(), err)
}

// send sends one after the other.
func (s shipments) send(ctx context.Context, session *registry.Session, o registry.PushOptions) (registry.PushReport, error) {
	report := registry.PushReport{DryRun: o.DryRun, Changes: []layout.Change{}}
	for _, w := range s {
		done, err := w.send(ctx, session, o)
		if err != nil {
			return report, w.at(err)
		}
		report.Add(done)
	}
	return report, nil
}

func (w *shipment) send(ctx context.Context, s *registry.Session, o registry.PushOptions) (registry.PushReport, error) {
	switch {
	case w.remote:
		return registry.Copy(ctx, s, w.ref, w.to, o)
	case w.all:
		return registry.PushAll(ctx, s, w.reader, w.to, o)
	}
	return registry.Push(ctx, s, w.reader, w.in, w.to, o)
}

// Close closes every layout.
func (s shipments) Close() error {
	var errs []error
	for _, w := range s {
		if w.reader != nil {
			errs = append(errs, w.reader.Close())
		}
	}
	return errors.Join(errs...)
}
