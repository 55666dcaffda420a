package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/ingest"
	"github.com/ocilayout/ocilayout/layout"
)

// importFlags are the flags of import that need reading.
type importFlags struct{ platform, compress, conflict, attestations string }

func (f *importFlags) fill(o *ingest.Options) (err error) {
	if o.Compress, err = ingest.ParseCompression(f.compress); err != nil {
		return err
	}
	if o.Attestations, err = ingest.ParseAttestations(f.attestations); err != nil {
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

// importArchives imports archives into the layout that the last argument names, all
// of them or none.
func (e *env) importArchives(ctx context.Context, args []string, o ingest.Options) (_ any, err error) {
	paths, dst := args[:len(args)-1], args[len(args)-1]
	ref, err := layout.ParseReference(dst)
	if err != nil {
		return nil, err
	}
	if ref.Digest != "" {
		return nil, content.Errorf(content.ErrInvalid, "%s: a digest can't be imported to", dst)
	}
	var open archives
	defer closing(&open, &err)
	if err := e.openArchives(&open, paths); err != nil {
		return nil, err
	}
	l, err := e.initLayout(ctx, dst, ref.Layout)
	if err != nil {
		return nil, err
	}
	defer closing(l, &err)
	o.Limits, o.Rename, o.Warn = e.limits, ref.Name, func(err error) { e.warnf("%v", err) }
	results, err := ingest.ImportAll(ctx, l, open.sources, o)
	if results == nil {
		return nil, err
	}
	done := make(imported, len(results))
	for i, result := range results {
		done[i] = archived{paths[i], result}
		e.notImported(done[i])
	}
	return done, err
}

// archives are open files to import.
type archives struct {
	sources []ingest.Source
	closers
}

// openArchives opens every archive before any is read: one that is not there, or
// standard input twice, stops it all.
func (e *env) openArchives(open *archives, paths []string) error {
	stdin := false
	for _, path := range paths {
		if path == "-" && stdin {
			return content.Errorf(content.ErrInvalid, "standard input can be only one of the archives")
		}
		if path == "-" {
			stdin = true
			open.sources = append(open.sources, ingest.Source{Reader: e.stdin, Name: path})
			continue
		}
		src, err := e.openArchive(open, path)
		if err != nil {
			return err
		}
		open.sources = append(open.sources, src)
	}
	return nil
}

// openArchive opens a file, or a directory with a layout in it.
func (e *env) openArchive(open *archives, path string) (ingest.Source, error) {
	src := ingest.Source{Name: path}
	info, err := os.Stat(path)
	if err != nil {
		return src, err
	}
	if info.IsDir() {
		r, err := layout.OpenReader(path, e.layoutOptions())
		if err != nil {
			return src, err
		}
		src.Layout, open.closers = r, append(open.closers, r)
		return src, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return src, err
	}
	src.Reader, open.closers = f, append(open.closers, f)
	return src, nil
}

// notImported says what a layout lacks after an import.
func (e *env) notImported(a archived) {
	const most = 5
	for _, absent := range a.Absent[:min(len(a.Absent), most)] {
		what := content.Short(absent.Digest)
		if absent.Platform != "" {
			what += " (" + absent.Platform + ")"
		}
		e.warnf("%s is not in the archive", what)
	}
	if more := len(a.Absent) - most; more > 0 {
		e.warnf("%d more: the same", more)
	}
	if len(a.Images) > 0 && a.Images[0].Name == "" {
		e.warnf("%s: %s has no name; import it to LAYOUT:NAME, or tag it", a.Archive, a.Images[0].Digest)
	}
	if n := len(a.NotTaken); n > 0 {
		names := strings.Join(a.NotTaken[:min(n, most)], ", ")
		if n > most {
			names += " and " + strconv.Itoa(n-most) + " more"
		}
		e.warnf("%s: not taken: %s", a.Archive, names)
	}
}

// imported is what import tells, archive by archive.
type imported []archived

type archived struct {
	Archive string `json:"archive"`
	ingest.Result
}

// Tables shows the images, and then the names that did not just appear.
func (list imported) Tables() []render.Table {
	images := render.Table{Header: []string{"NAME", "DIGEST", "PLATFORM"}}
	var known render.Table
	referrers, lifted, dropped := 0, 0, 0
	for _, a := range list {
		referrers, lifted, dropped = referrers+a.Referrers, lifted+a.Lifted, dropped+a.Dropped
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
	tables = withReferrers(tables, referrers)
	for _, n := range []struct {
		n    int
		what string
	}{{lifted, "attestations became referrers"}, {dropped, "attestations were left out"}} {
		if n.n > 0 {
			tables = append(tables, render.Table{Rows: [][]string{{strconv.Itoa(n.n) + " " + n.what}}})
		}
	}
	return tables
}
