package artifact

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"github.com/ocilayout/ocilayout/content"
)

// chartMetadata is what a Chart.yaml says, in the order in which helm writes it as
// the config of a chart; what helm does not know it drops (helm.sh, "The Chart.yaml
// File").
type chartMetadata struct {
	Name         string             `yaml:"name" json:"name,omitempty"`
	Home         string             `yaml:"home" json:"home,omitempty"`
	Sources      []string           `yaml:"sources" json:"sources,omitempty"`
	Version      string             `yaml:"version" json:"version,omitempty"`
	Description  string             `yaml:"description" json:"description,omitempty"`
	Keywords     []string           `yaml:"keywords" json:"keywords,omitempty"`
	Maintainers  []*chartMaintainer `yaml:"maintainers" json:"maintainers,omitempty"`
	Icon         string             `yaml:"icon" json:"icon,omitempty"`
	APIVersion   string             `yaml:"apiVersion" json:"apiVersion,omitempty"`
	Condition    string             `yaml:"condition" json:"condition,omitempty"`
	Tags         string             `yaml:"tags" json:"tags,omitempty"`
	AppVersion   string             `yaml:"appVersion" json:"appVersion,omitempty"`
	Deprecated   bool               `yaml:"deprecated" json:"deprecated,omitempty"`
	Annotations  map[string]string  `yaml:"annotations" json:"annotations,omitempty"`
	KubeVersion  string             `yaml:"kubeVersion" json:"kubeVersion,omitempty"`
	Dependencies []*chartDependency `yaml:"dependencies" json:"dependencies,omitempty"`
	Type         string             `yaml:"type" json:"type,omitempty"`
}

type chartMaintainer struct {
	Name  string `yaml:"name" json:"name,omitempty"`
	Email string `yaml:"email" json:"email,omitempty"`
	URL   string `yaml:"url" json:"url,omitempty"`
}

type chartDependency struct {
	Name         string   `yaml:"name" json:"name"`
	Version      string   `yaml:"version" json:"version,omitempty"`
	Repository   string   `yaml:"repository" json:"repository"`
	Condition    string   `yaml:"condition" json:"condition,omitempty"`
	Tags         []string `yaml:"tags" json:"tags,omitempty"`
	Enabled      bool     `yaml:"enabled" json:"enabled,omitempty"`
	ImportValues []any    `yaml:"import-values" json:"import-values,omitempty"`
	Alias        string   `yaml:"alias" json:"alias,omitempty"`
}

const (
	maxChartYAML   = 128 << 10 // bytes of a Chart.yaml or requirements.yaml
	maxYAMLDepth   = 16        // brackets within brackets
	maxYAMLColumn  = 200       // where a block may begin, which bounds blocks in blocks
	maxYAMLEntries = 4096      // keys and list items
)

// readYAML reads a file of a chart, its path inside the chart being name. One that
// is hostile, or has anchors, is refused: nothing may grow while it is read.
func readYAML(name string, data []byte, into any) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if err := checkYAML(string(data)); err != nil {
		return content.At(name, err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		text, _, _ := strings.Cut(yaml.FormatError(err, false, false), "\n")
		return content.At(name, content.Errorf(content.ErrCorrupt, "%s", text))
	}
	return nil
}

// checkYAML looks at the tokens, which are read in linear time, for what would make
// parsing them dear.
func checkYAML(text string) error {
	depth, entries := 0, 0
	for _, t := range lexer.Tokenize(text) {
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return content.Errorf(content.ErrRefused, "line %d has a YAML anchor or alias, which are not followed", t.Position.Line)
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType, token.MappingKeyType, token.TagType:
			entries++
			if t.Position.Column > maxYAMLColumn {
				return content.Errorf(content.ErrRefused, "line %d is nested too deep", t.Position.Line)
			}
		case token.MappingValueType, token.CollectEntryType, token.DocumentHeaderType:
			entries++
		}
		if depth > maxYAMLDepth {
			return content.Errorf(content.ErrRefused, "line %d is nested too deep", t.Position.Line)
		}
		if entries > maxYAMLEntries {
			return content.Errorf(content.ErrRefused, "more than %d keys and items", maxYAMLEntries)
		}
	}
	return nil
}

// chartVersion is what helm takes as a version: of SemVer 2, and its short forms.
var chartVersion = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^v?[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)
})

// chartName is narrower than what helm takes: a name becomes part of a file's name
// and of a repository's.
var chartName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
})

// check cleans the text as helm does, and holds that helm would take the chart.
func (m *chartMetadata) check() error {
	if m.APIVersion == "" {
		m.APIVersion = "v1" // as of Helm 2, which did not ask for one
	}
	if err := m.clean(); err != nil {
		return err
	}
	switch {
	case !chartName().MatchString(m.Name):
		return content.Errorf(content.ErrCorrupt, "%q is not the name of a chart", m.Name)
	case !chartVersion().MatchString(m.Version) || len(m.Version) > 128:
		return content.Errorf(content.ErrCorrupt, "%q is not the version of a chart", m.Version)
	case m.Type != "" && m.Type != "application" && m.Type != "library":
		return content.Errorf(content.ErrCorrupt, "%q is not the type of a chart: want application or library", m.Type)
	}
	return nil
}

func (m *chartMetadata) clean() error {
	tidy(&m.Name, &m.Description, &m.Home, &m.Icon, &m.Condition, &m.Tags, &m.AppVersion, &m.KubeVersion)
	for i := range m.Sources {
		tidy(&m.Sources[i])
	}
	for i := range m.Keywords {
		tidy(&m.Keywords[i])
	}
	for _, p := range m.Maintainers {
		if p == nil {
			return content.Errorf(content.ErrCorrupt, "an empty maintainer")
		}
		tidy(&p.Name, &p.Email, &p.URL)
	}
	for _, d := range m.Dependencies {
		if d == nil {
			return content.Errorf(content.ErrCorrupt, "an empty dependency")
		}
		tidy(&d.Name, &d.Version, &d.Repository, &d.Condition)
		for i := range d.Tags {
			tidy(&d.Tags[i])
		}
	}
	return nil
}

// tidy makes every space " " and drops what can't be printed.
func tidy(texts ...*string) {
	for _, text := range texts {
		*text = strings.Map(func(r rune) rune {
			switch {
			case unicode.IsSpace(r):
				return ' '
			case unicode.IsPrint(r):
				return r
			}
			return -1
		}, *text)
	}
}
