package mutate

import (
	"context"
	"io"
	"strings"
	"sync/atomic"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
)

// FileTarTime changes the times of the members of tars that lie as files in layers above
// the base: plain ones, and those compressed with gzip or zstd, which are compressed
// again at the default level. Pattern is a path or a pattern of [imagefs.Match]; a file
// that fits and is no tar is ErrCorrupt. The file keeps its own times, and its bytes
// if no time differs. All else is as LayerTime has it. A pattern that fits no file
// gives a warning.
type FileTarTime struct {
	Pattern string
	Spec    TimeSpec
}

// Image implements Change.
func (c FileTarTime) Image(ctx context.Context, im *Image) error {
	rule, err := c.Spec.rule(ctx, im)
	if err != nil {
		return err
	}
	s := fileTarTime{pattern: strings.Trim(c.Pattern, "/"), rule: rule, lim: im.Job.Limits,
		found: im.Job.expect("no file in any layer fits " + c.Pattern)}
	for _, l := range im.Layers[rule.layers:] {
		if l.IsTar() {
			l.Do(s)
		}
	}
	return nil
}

// fileTarTime is the step of a FileTarTime, and its own Filter.
type fileTarTime struct {
	pattern string
	rule    timeRule
	lim     content.Limits
	found   *atomic.Bool
}

func (s fileTarTime) Key() string   { return "file-tar-time " + s.pattern + " " + s.rule.key() }
func (s fileTarTime) Start() Filter { return s }

func (s fileTarTime) Member(m *Member) error {
	if !m.isFile() {
		return nil
	}
	if ok, err := imagefs.Match(s.pattern, m.Name); err != nil || !ok {
		return err
	}
	s.found.Store(true)
	m.Rewrite(s.rewrite)
	return nil
}

// rewrite copies a tar, with the compression that it has. If no time in it differs its
// bytes stay.
func (s fileTarTime) rewrite(w io.Writer, r io.Reader) (err error) {
	var was, is spool
	defer func() { _, _ = was.Close(), is.Close() }() // temporary files that are left over do no harm
	in, from, err := openPlain(r, &was, func(string) bool { return true }, "", s.lim)
	if err != nil {
		return err
	}
	defer in.close()
	if from != "none" && from != "gzip" && from != "zstd" {
		return content.Errorf(content.ErrUnsupported, "is compressed with %s, which is not written", from)
	}
	enc, err := newEncoder(&is, from, 0)
	if err != nil {
		return err
	}
	p := newPass(in.ahead, enc, []Step{retime(s.rule)}, s.lim, nil)
	err = p.run()
	if cerr := enc.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	result := &is
	if !p.changed {
		result = &was
	}
	_, err = io.Copy(w, result.reader())
	return err
}

func fileTarTimeFlags() []Flag {
	return []Flag{{Name: "file-tar-time", Usage: "change the times in tars that lie in layers, as `PATH=SPEC` says; PATH may be a pattern, SPEC is as for --time",
		Parse: selected(func(value string, env FlagEnv) (Change, error) {
			path, spec, ok := strings.Cut(value, "=")
			if !ok || strings.Trim(path, "/") == "" {
				return nil, content.Errorf(content.ErrInvalid, "%q lacks a path and a time: want PATH=set=T", value)
			}
			if _, err := imagefs.Match(path, ""); err != nil {
				return nil, err
			}
			s, err := ParseTimeSpec(spec, env)
			return FileTarTime{path, s}, err
		})}}
}
