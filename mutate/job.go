package mutate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A Job is what all edits of one Apply share.
type Job struct {
	// Source is what the images are read from.
	Source content.Fetcher
	// Batch takes what is made. A change may push blobs of its own.
	Batch  *layout.Batch
	Limits content.Limits
	// Report is what will be returned.
	Report *Report

	hopes   []hope
	lists   map[content.Digest]map[string]lowerFile
	spelled spellings
}

// fetcher reads from the source, and from the batch what an edit has brought.
type fetcher struct{ *Job }

func (f fetcher) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	rc, err := f.Source.Fetch(ctx, d)
	if errors.Is(err, content.ErrNotFound) {
		return f.Batch.Fetch(ctx, d)
	}
	return rc, err
}

// hold keeps a blob of the layout from a concurrent gc until the batch is closed, since
// the result may lead to it, whatever becomes of the names of what it is read from. A
// job that only reads has no batch.
func (j *Job) hold(ctx context.Context, d content.Descriptor) error {
	if j.Batch == nil {
		return nil
	}
	_, err := j.Batch.Exists(ctx, d)
	return err
}

// Warn adds a warning, once.
func (j *Job) Warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, have := range j.Report.Warnings {
		if have == text {
			return
		}
	}
	j.Report.Warnings = append(j.Report.Warnings, text)
}

// A hope is a warning that is given unless something is found in a layer.
type hope struct {
	warning string
	found   *atomic.Bool
}

// expect returns what a step sets when it finds what it looks for in a layer; if no
// step does, there is a warning.
func (j *Job) expect(warning string) *atomic.Bool {
	for _, h := range j.hopes {
		if h.warning == warning {
			return h.found
		}
	}
	h := hope{warning, new(atomic.Bool)}
	j.hopes = append(j.hopes, h)
	return h.found
}

// disappoint gives the warnings about what was not found.
func (j *Job) disappoint() {
	for _, h := range j.hopes {
		if !h.found.Load() {
			j.Warn("%s", h.warning)
		}
	}
}
