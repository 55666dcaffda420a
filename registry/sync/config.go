package sync

import (
	"fmt"
	"strconv"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/ocilayout/ocilayout/content"
)

// A Config is what a file says, with its templates expanded and its defaults applied.
type Config struct {
	Version  int      `yaml:"version"`
	Creds    []Host   `yaml:"creds"`
	Defaults Defaults `yaml:"defaults"`
	Sync     []*Entry `yaml:"sync"`

	// Warnings are about keys that have no effect, each with its place in the file.
	Warnings []error `yaml:"-"`
}

// A Duration is a time such as 90m; a bare number is of nanoseconds, as regsync has it.
type Duration struct{ time.Duration }

// UnmarshalYAML reads it.
func (d *Duration) UnmarshalYAML(node ast.Node) (err error) {
	text := node.GetToken().Value
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		d.Duration = time.Duration(n)
		return nil
	}
	if d.Duration, err = time.ParseDuration(text); err != nil {
		return &yaml.SyntaxError{Message: fmt.Sprintf("%q is no time such as 90m", text), Token: node.GetToken()}
	}
	return nil
}

// Defaults are the keys of defaults.
type Defaults struct {
	Settings         `yaml:",inline"`
	Parallel         int      `yaml:"parallel"`
	BlobLimit        int64    `yaml:"blobLimit"`
	CacheCount       int      `yaml:"cacheCount"`
	CacheTime        Duration `yaml:"cacheTime"`
	SkipDockerConfig bool     `yaml:"skipDockerConfig"`
	UserAgent        string   `yaml:"userAgent"`
}

// Settings are the keys that an entry and the defaults share.
type Settings struct {
	Backup          string           `yaml:"backup"`
	Interval        Duration         `yaml:"interval"`
	Schedule        string           `yaml:"schedule"`
	RateLimit       RateLimit        `yaml:"ratelimit"`
	DigestTags      *bool            `yaml:"digestTags"`
	Referrers       *bool            `yaml:"referrers"`
	ReferrerFilters []ReferrerFilter `yaml:"referrerFilters"`
	ReferrerSrc     string           `yaml:"referrerSource"`
	ReferrerTgt     string           `yaml:"referrerTarget"`
	ReferrerSlow    *bool            `yaml:"referrerSlow"`
	FastCheck       *bool            `yaml:"fastCheck"`
	ForceRecursive  *bool            `yaml:"forceRecursive"`
	IncludeExternal *bool            `yaml:"includeExternal"`
	MediaTypes      []string         `yaml:"mediaTypes"`
	Hooks           Hooks            `yaml:"hooks"`
	Prune           *Pruning         `yaml:"prune"`
}

// RateLimit says to wait while a registry lets fewer than Min requests through, and to
// look again after Retry.
type RateLimit struct {
	Min   int      `yaml:"min"`
	Retry Duration `yaml:"retry"`
}

// A ReferrerFilter takes referrers of a type, and with annotations; what is empty takes
// all.
type ReferrerFilter struct {
	ArtifactType string            `yaml:"artifactType"`
	Annotations  map[string]string `yaml:"annotations"`
}

// Hooks are read and never run, by regsync either.
type Hooks struct {
	Pre       *Hook `yaml:"pre"`
	Post      *Hook `yaml:"post"`
	Unchanged *Hook `yaml:"unchanged"`
}

// A Hook is one of them.
type Hook struct {
	Type   string   `yaml:"type"`
	Params []string `yaml:"params"`
}

// An Entry is one of those below sync. The names of its fields are those that templates
// use.
type Entry struct {
	// Name is what reports, and --only, call the entry; regsync has no such key.
	Name      string      `yaml:"name"`
	Source    string      `yaml:"source"`
	Target    string      `yaml:"target"`
	Type      string      `yaml:"type"`
	Tags      TagFilter   `yaml:"tags"`
	TagSets   []TagFilter `yaml:"tagSets"`
	Repos     Filter      `yaml:"repos"`
	Platform  string      `yaml:"platform"`
	Platforms []string    `yaml:"platforms"`
	Select    *Selection  `yaml:"select"`
	Settings  `yaml:",inline"`

	// What the keys above mean.
	source, target Point
	rules          rules
	platform       *content.Platform
	platforms      []content.Platform
	schedule       schedule
}

// TagFilter takes tags that a range has, if there are ranges, that match a pattern of
// Allow, if there are any, and none of Deny.
type TagFilter struct {
	Allow       []string `yaml:"allow"`
	Deny        []string `yaml:"deny"`
	SemverRange []string `yaml:"semverRange"`
}

// Filter takes names that match a pattern of Allow, if there are any, and none of Deny.
type Filter struct {
	Allow []string `yaml:"allow"`
	Deny  []string `yaml:"deny"`
}

// A Selection takes the newest of the tags that the filters take. regsync has none.
type Selection struct {
	Semver string `yaml:"semver"` // a range of versions
	Regex  string `yaml:"regex"`  // a pattern
	SortBy string `yaml:"sortBy"` // semver, name or created
	Limit  int    `yaml:"limit"`  // how many, the newest first; 0 is all
}

// Pruning says what goes of the target when all has been copied, as the flags of the
// prune command do. regsync has none.
type Pruning struct {
	Match     []string `yaml:"match"`
	Protect   []string `yaml:"protect"`
	Keep      *int     `yaml:"keep"`
	By        string   `yaml:"by"`
	OlderThan string   `yaml:"olderThan"`
	Untagged  bool     `yaml:"untagged"`
}

// The types of an Entry.
const (
	typeImage      = "image"
	typeRepository = "repository"
	typeRegistry   = "registry"
	typeLayout     = "layout"
)

// label is how messages call an entry.
func (e *Entry) label() string {
	if e.Name != "" {
		return e.Name
	}
	return e.Source
}

func isSet(flag *bool) bool { return flag != nil && *flag }

// minRetry is the shortest time after which a rate limit is looked at again.
const minRetry = 5 * time.Minute

// inherit takes from the defaults what the entry does not say.
func (s *Settings) inherit(d Settings) {
	if s.Schedule == "" && s.Interval.Duration == 0 {
		s.Schedule = d.Schedule
		if s.Schedule == "" {
			s.Interval = d.Interval
		}
	}
	either(&s.Backup, d.Backup)
	either(&s.RateLimit.Min, d.RateLimit.Min)
	either(&s.RateLimit.Retry, d.RateLimit.Retry)
	s.RateLimit.Retry.Duration = max(s.RateLimit.Retry.Duration, minRetry)
	either(&s.ReferrerSrc, d.ReferrerSrc)
	either(&s.ReferrerTgt, d.ReferrerTgt)
	either(&s.DigestTags, d.DigestTags)
	either(&s.Referrers, d.Referrers)
	either(&s.ReferrerSlow, d.ReferrerSlow)
	either(&s.FastCheck, d.FastCheck)
	either(&s.ForceRecursive, d.ForceRecursive)
	either(&s.IncludeExternal, d.IncludeExternal)
	either(&s.Prune, d.Prune)
	if s.ReferrerFilters == nil {
		s.ReferrerFilters = d.ReferrerFilters
	}
	if len(s.MediaTypes) == 0 {
		s.MediaTypes = d.MediaTypes
	}
}

// either sets what is not set.
func either[T comparable](to *T, from T) {
	var zero T
	if *to == zero {
		*to = from
	}
}

// ParseConfig reads a configuration; name is what errors call the file. Keys that
// nobody knows, keys that would have to be ignored and would change the result, and
// values that mean nothing are ErrInvalid or ErrUnsupported, with line and column. Keys
// that begin with x- are for anchors and are passed over, at any depth.
//
// Templates see the environment and files, through env.
func ParseConfig(name string, data []byte, env Environment) (*Config, error) {
	f := &file{name: name, env: env}
	c := &Config{}
	if err := f.decode(data, c); err != nil {
		return nil, err
	}
	if c.Version > 1 {
		return nil, f.at("$.version", content.Errorf(content.ErrUnsupported, "version %d is not known here, only 1", c.Version))
	}
	for i := range c.Creds {
		if err := f.host(fmt.Sprintf("$.creds[%d]", i), &c.Creds[i]); err != nil {
			return nil, err
		}
	}
	f.mirrors(c.Creds)
	if err := f.defaults(&c.Defaults); err != nil {
		return nil, err
	}
	for i, e := range c.Sync {
		path := fmt.Sprintf("$.sync[%d]", i)
		if e == nil {
			return nil, f.at(path, content.Errorf(content.ErrInvalid, "an entry is empty"))
		}
		own := e.Settings
		e.inherit(c.Defaults.Settings)
		if err := f.entry(path, e, own); err != nil {
			return nil, err
		}
	}
	if len(c.Sync) == 0 {
		return nil, content.At(name, content.Errorf(content.ErrInvalid, "there is nothing below sync"))
	}
	c.Warnings = f.warnings
	return c, nil
}

// VerifyExisting makes every entry one with forceRecursive and without fastCheck.
func (c *Config) VerifyExisting() {
	yes, no := true, false
	for _, e := range c.Sync {
		e.ForceRecursive, e.FastCheck = &yes, &no
	}
}
