package main

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/ingest"
	"github.com/ocilayout/ocilayout/layout"
)

// importFlags are the flags of import that need reading.
type importFlags struct{ platform, compress, conflict string }

func (f *importFlags) fill(o *ingest.Options) (err error) {
	if o.Compress, err = ingest.ParseCompression(f.compress); err != nil {
		return err
	}
	if o.Policy, err = parsePolicy(f.conflict); err != nil {
		return err
	}
	if f.platform != "" {
		if !o.Rootfs {
			return content.Errorf(content.ErrInvalid, "--platform is for --rootfs; other archives say what their images run on")
		}
		if o.Platform, err = content.ParsePlatform(f.platform); err != nil {
			return err
		}
	}
	o.Created, err = sourceDate()
	return err
}

// sourceDate is the time in SOURCE_DATE_EPOCH; zero if it is not set.
func sourceDate() (time.Time, error) {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, content.Errorf(content.ErrInvalid, "SOURCE_DATE_EPOCH is %q: want seconds since 1970", epoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// importArchives imports archives one after the other into the layout that the
// last argument names. What was done before an error is in the result beside it.
func (e *env) importArchives(ctx context.Context, args []string, o ingest.Options) (_ any, err error) {
	archives, dst := args[:len(args)-1], args[len(args)-1]
	ref, err := layout.ParseReference(dst)
	if err != nil {
		return nil, err
	}
	if ref.Digest != "" {
		return nil, content.Errorf(content.ErrInvalid, "%s: a digest can't be imported to", dst)
	}
	if ref.Name != "" && len(archives) > 1 {
		return nil, content.Errorf(content.ErrInvalid, "%d archives can't all be called %s", len(archives), ref.Name)
	}
	o.Rename, o.Warn = ref.Name, func(err error) { e.warnf("%v", err) }
	var done imported
	for _, archive := range archives {
		result, err := e.importArchive(ctx, archive, ref.Layout, o)
		if err != nil {
			return done.orNil(), err
		}
		done = append(done, archived{archive, result})
		e.notImported(result)
	}
	return done, nil
}

func (e *env) importArchive(ctx context.Context, archive, dir string, o ingest.Options) (result ingest.Result, err error) {
	src := ingest.Source{Reader: e.stdin, Name: archive}
	if archive != "-" {
		f, err := os.Open(archive)
		if err != nil {
			return result, err
		}
		defer func() { _ = f.Close() }() // only read
		src.Reader = f
	}
	l, err := layout.Init(ctx, dir, e.layoutOptions())
	if err != nil {
		return result, err
	}
	defer closing(l, &err)
	return ingest.Import(ctx, l, src, o)
}

// notImported says what a layout lacks after an import.
func (e *env) notImported(r ingest.Result) {
	const most = 5
	for _, a := range r.Absent[:min(len(r.Absent), most)] {
		what := content.Short(a.Digest)
		if a.Platform != "" {
			what += " (" + a.Platform + ")"
		}
		e.warnf("%s is not in the archive", what)
	}
	if more := len(r.Absent) - most; more > 0 {
		e.warnf("%d more: the same", more)
	}
}

// imported is what import tells, archive by archive.
type imported []archived

type archived struct {
	Archive string `json:"archive"`
	ingest.Result
}

func (list imported) orNil() any {
	if len(list) == 0 {
		return nil
	}
	return list
}

// Tables shows the images, and then the names that did not just appear.
func (list imported) Tables() []render.Table {
	images := render.Table{Header: []string{"NAME", "DIGEST", "PLATFORM"}}
	var known render.Table
	referrers := 0
	for _, a := range list {
		referrers += a.Referrers
		for _, i := range a.Images {
			images.Rows = append(images.Rows, []string{i.Name, content.Short(i.Digest), i.Platform})
		}
		for _, c := range a.Changes {
			if c.Moved() || c.Skipped {
				known.Rows = append(known.Rows, []string{changeText(c)})
			}
		}
	}
	tables := []render.Table{images}
	if len(known.Rows) > 0 {
		tables = append(tables, known)
	}
	return withReferrers(tables, referrers)
}
