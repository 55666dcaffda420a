package artifact

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// The media types of Helm charts.
const (
	MediaTypeHelmConfig     = "application/vnd.cncf.helm.config.v1+json"
	MediaTypeHelmChart      = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	MediaTypeHelmProvenance = "application/vnd.cncf.helm.chart.provenance.v1.prov"
)

// What helm takes of a chart, which we need not exceed.
const (
	maxChart        = 100 << 20 // bytes of all files
	maxChartMembers = 64 << 10
	maxProvenance   = 1 << 20
)

// A Chart is a Helm chart as an artifact, and what it calls itself.
type Chart struct {
	Options
	Name    string
	Version string
}

// Tag is the tag that helm looks for: the version, with "_" for the "+" that no tag
// may have.
func (c Chart) Tag() string { return strings.ReplaceAll(c.Version, "+", "_") }

// In is the full name of the chart where name is only part of one: nothing, or a
// repository without a tag. A whole name, or a bare tag, stays.
func (c Chart) In(name string) string {
	switch {
	case name == "":
		return c.Name + ":" + c.Tag()
	case strings.Contains(name, "/") && !strings.Contains(path.Base(name), ":"):
		return name + ":" + c.Tag()
	}
	return name
}

// HelmChart makes options that store the packed chart at path as helm push does: the
// config is its Chart.yaml, and the annotations are made from that. provenance is
// the file that helm package --sign wrote, and "" if there is none; it must be of
// this very chart. Unlike with helm push nothing depends on the file's times.
//
// What is no chart that helm takes is ErrCorrupt, a hostile one, and one with
// anchors in its Chart.yaml, ErrRefused. The templates are not looked at.
func HelmChart(chart, provenance string) (Chart, error) {
	sum, metadata, err := readChart(chart)
	if err != nil {
		return Chart{}, content.At(chart, err)
	}
	config, err := json.Marshal(metadata)
	if err != nil {
		return Chart{}, content.At(chart, content.Errorf(content.ErrCorrupt, "Chart.yaml: %w", err))
	}
	title := metadata.Name + "-" + metadata.Version + ".tgz"
	file := inMemory(File{MediaType: MediaTypeHelmConfig}, config)
	c := Chart{Name: metadata.Name, Version: metadata.Version, Options: Options{
		Annotations: chartAnnotations(metadata),
		Config:      &file,
		Files:       []File{{Path: chart, Title: title, MediaType: MediaTypeHelmChart}},
	}}
	if provenance == "" {
		return c, nil
	}
	data, err := readWhole(provenance, maxProvenance)
	if err != nil {
		return Chart{}, err
	}
	if err := checkProvenance(data, sum); err != nil {
		return Chart{}, content.At(provenance, err)
	}
	c.Files = append(c.Files, inMemory(File{Title: title + ".prov", MediaType: MediaTypeHelmProvenance}, data))
	return c, nil
}

// checkProvenance holds that the clear-signed text is about the chart. The
// signature is not verified.
func checkProvenance(data []byte, chart content.Digest) error {
	switch text := string(data); {
	case !strings.HasPrefix(text, "-----BEGIN PGP SIGNED MESSAGE-----"):
		return content.Errorf(content.ErrUnsupported, "not a provenance file of helm: it is not clear-signed")
	case !strings.Contains(text, chart.String()):
		return content.Errorf(content.ErrInvalid, "is not about this chart, which is %s", chart)
	}
	return nil
}

// readChart reads a packed chart to its end, and gives the digest of the file.
func readChart(name string) (sum content.Digest, m chartMetadata, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", m, notFound(name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	hash := digest.SHA256.Digester()
	in := io.TeeReader(f, hash.Hash())
	plain, err := compress.NewReader(in, compress.Gzip, compress.Limits{MaxBytes: maxChart})
	if err != nil {
		return "", m, err
	}
	defer func() { err = errors.Join(err, plain.Close()) }()
	files, err := chartFiles(plain)
	if err != nil {
		return "", m, err
	}
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return "", m, err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return "", m, err
	}
	m, err = chartOf(files)
	return hash.Digest(), m, err
}

// chartFiles reads the files of a chart that say what it is.
func chartFiles(plain io.Reader) (map[string][]byte, error) {
	r := tarx.NewReader(plain, tarx.Limits{MaxMembers: maxChartMembers})
	files := map[string][]byte{}
	for {
		h, err := r.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		dir, name, _ := strings.Cut(strings.ReplaceAll(h.Name, `\`, "/"), "/")
		if dir == "Chart.yaml" {
			return nil, content.Errorf(content.ErrCorrupt, "Chart.yaml is not in a directory, as helm package puts it")
		}
		if name != "Chart.yaml" && name != "requirements.yaml" {
			continue
		}
		if files[name] != nil {
			return nil, content.Errorf(content.ErrRefused, "%s is there twice", name)
		}
		if h.Size > maxChartYAML {
			return nil, content.At(name, content.Errorf(content.ErrRefused, "%d bytes are over the limit of %d", h.Size, maxChartYAML))
		}
		if files[name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}

func chartOf(files map[string][]byte) (m chartMetadata, err error) {
	if files["Chart.yaml"] == nil {
		return m, content.Errorf(content.ErrCorrupt, "not a Helm chart: it has no Chart.yaml")
	}
	for _, name := range []string{"Chart.yaml", "requirements.yaml"} {
		if files[name] == nil {
			continue
		}
		if err := readYAML(name, files[name], &m); err != nil {
			return m, err
		}
	}
	return m, content.At("Chart.yaml", m.check())
}

// chartAnnotations are those that helm push makes, but for the time.
func chartAnnotations(m chartMetadata) map[string]string {
	all := map[string]string{
		ocispec.AnnotationDescription: m.Description,
		ocispec.AnnotationURL:         m.Home,
		ocispec.AnnotationAuthors:     chartAuthors(m.Maintainers),
	}
	if len(m.Sources) > 0 {
		all[ocispec.AnnotationSource] = m.Sources[0]
	}
	maps.DeleteFunc(all, func(_, value string) bool { return strings.TrimSpace(value) == "" })
	maps.Copy(all, m.Annotations)
	all[ocispec.AnnotationTitle] = m.Name
	all[ocispec.AnnotationVersion] = m.Version
	return all
}

// chartAuthors is "Name (email), Name (email)".
func chartAuthors(list []*chartMaintainer) string {
	var authors []string
	for _, p := range list {
		author := p.Name
		if p.Email != "" {
			author += " (" + p.Email + ")"
		}
		authors = append(authors, author)
	}
	return strings.Join(authors, ", ")
}
