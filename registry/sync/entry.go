package sync

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/retain"
)

// defaults checks the keys of defaults that are not those of an entry too.
func (f *file) defaults(d *Defaults) error {
	for _, key := range []struct {
		name string
		set  bool
	}{
		{"blobLimit", d.BlobLimit != 0}, {"cacheCount", d.CacheCount != 0}, {"cacheTime", d.CacheTime.Duration != 0},
	} {
		if key.set {
			f.warn("$.defaults."+key.name, "%s has no effect: memory is bounded, and nothing is asked twice in one run", key.name)
		}
	}
	if d.Parallel < 0 {
		return f.invalid("$.defaults.parallel", "%d at once is not possible", d.Parallel)
	}
	return f.settings("$.defaults", &d.Settings)
}

// settings checks what stands at a path, an entry's or the defaults', before anything
// was inherited.
func (f *file) settings(path string, s *Settings) error {
	if s.Hooks != (Hooks{}) {
		f.warn(path+".hooks", "hooks are not run, as regsync does not run them")
	}
	if isSet(s.IncludeExternal) {
		return f.refuse(path+".includeExternal", "addresses in layers are not followed; without includeExternal such layers stay behind")
	}
	const apart = "referrers are taken from, and put, where their image is"
	if s.ReferrerSrc != "" {
		return f.refuse(path+".referrerSource", "%s; referrerSource is not done", apart)
	}
	if s.ReferrerTgt != "" {
		return f.refuse(path+".referrerTarget", "%s; referrerTarget is not done", apart)
	}
	if s.Interval.Duration < 0 {
		return f.invalid(path+".interval", "an interval of %s", s.Interval.Duration)
	}
	if s.Schedule != "" {
		if _, err := parseSchedule(s.Schedule); err != nil {
			return f.at(path+".schedule", err)
		}
	}
	if s.RateLimit.Min < 0 {
		return f.invalid(path+".ratelimit.min", "%d requests", s.RateLimit.Min)
	}
	for i, filter := range s.ReferrerFilters {
		if filter.ArtifactType == "" && len(filter.Annotations) == 0 {
			return f.invalid(fmt.Sprintf("%s.referrerFilters[%d]", path, i), "a filter has neither artifactType nor annotations")
		}
	}
	if s.Prune != nil {
		_, err := f.pruning(path+".prune", s.Prune)
		return err
	}
	return nil
}

// entry makes an entry ready for use. own are the settings that it had before it
// inherited others.
func (f *file) entry(path string, e *Entry, own Settings) error {
	if err := f.settings(path, &own); err != nil {
		return err
	}
	if err := f.places(path, e); err != nil {
		return err
	}
	if err := f.filters(path, e); err != nil {
		return err
	}
	if err := f.wantedPlatforms(path, e); err != nil {
		return err
	}
	if e.Prune != nil {
		rules, err := f.pruning(path+".prune", e.Prune)
		if err != nil {
			return err
		}
		if e.target.Layout == "" && rules.Untagged {
			return f.refuse(path, "the target %s is no layout, and what has no tag in a registry nobody can list", e.Target)
		}
		e.rules.prune = &rules
	}
	switch {
	case own.Schedule != "" && own.Interval.Duration != 0:
		return f.invalid(path+".interval", "an entry has a schedule or an interval, not both")
	case e.Schedule != "":
		e.schedule, _ = parseSchedule(e.Schedule) // which was checked where it stands
	case e.Interval.Duration > 0:
		e.schedule = every(e.Interval.Duration)
	}
	return nil
}

// places expands and reads source and target, in the order in which regsync does.
func (f *file) places(path string, e *Entry) error {
	read := map[string]func(string) (Point, error){
		typeImage: parseImage, typeRepository: parsePlace, typeRegistry: parseRoot, typeLayout: parseRoot,
	}[e.Type]
	if read == nil {
		return f.invalid(path+".type", "%q is no type: want image, repository, registry or layout", e.Type)
	}
	for _, side := range []struct {
		key  string
		text *string
		to   *Point
	}{{"source", &e.Source, &e.source}, {"target", &e.Target, &e.target}} {
		expanded, err := f.env.expand(*side.text, struct{ Sync Entry }{*e})
		if err == nil && expanded == "" {
			return f.invalid(path+"."+side.key, "the entry has no %s", side.key)
		}
		if err == nil {
			*side.text = expanded
			*side.to, err = read(expanded)
		}
		if err != nil {
			return f.invalid(path+"."+side.key, "%v", err)
		}
	}
	switch {
	case e.Type == typeRegistry && (e.source.Layout != "" || e.source.Repository != ""):
		return f.invalid(path+".source", "%s is no registry, which is a host alone", e.Source)
	case e.Type == typeLayout && e.source.Layout == "":
		return f.invalid(path+".source", "%s is no layout, which is %sPATH", e.Source, layoutScheme)
	case e.target.Digest != "":
		return f.invalid(path+".target", "a target has no digest")
	}
	return nil
}

// filters makes patterns and ranges of texts.
func (f *file) filters(path string, e *Entry) (err error) {
	if e.Type == typeImage && (len(e.Tags.Allow)+len(e.Tags.Deny)+len(e.Tags.SemverRange)+len(e.TagSets) > 0 || e.Select != nil) {
		f.warn(path, "one image is taken whatever its tag: the filters of tags have no effect")
	}
	if e.Type != typeRegistry && e.Type != typeLayout && len(e.Repos.Allow)+len(e.Repos.Deny) > 0 {
		f.warn(path+".repos", "repos has an effect on the types registry and layout alone")
	}
	if e.rules.repos, err = f.patterns(path+".repos", e.Repos); err != nil {
		return err
	}
	for i, set := range e.TagSets {
		if err := f.tagSet(fmt.Sprintf("%s.tagSets[%d]", path, i), e, set); err != nil {
			return err
		}
	}
	if len(e.Tags.Allow)+len(e.Tags.Deny)+len(e.Tags.SemverRange) > 0 {
		if err := f.tagSet(path+".tags", e, e.Tags); err != nil {
			return err
		}
	}
	if e.Select != nil {
		e.rules.choice, err = f.choice(path+".select", e.Select)
	}
	return err
}

func (f *file) tagSet(path string, e *Entry, filter TagFilter) (err error) {
	var set tagSet
	for i, text := range filter.SemverRange {
		if text == "" {
			continue
		}
		r, err := parseRange(text)
		if err != nil {
			return f.at(fmt.Sprintf("%s.semverRange[%d]", path, i), err)
		}
		set.ranges = append(set.ranges, r)
	}
	set.patterns, err = f.patterns(path, Filter{filter.Allow, filter.Deny})
	e.rules.sets = append(e.rules.sets, set)
	return err
}

func (f *file) patterns(path string, filter Filter) (p patterns, err error) {
	if p.allow, err = f.compile(path+".allow", filter.Allow, compilePattern); err != nil {
		return p, err
	}
	p.deny, err = f.compile(path+".deny", filter.Deny, compilePattern)
	return p, err
}

func (f *file) compile(path string, texts []string, compile func(string) (*regexp.Regexp, error)) (list []*regexp.Regexp, err error) {
	for i, text := range texts {
		r, err := compile(text)
		if err != nil {
			return nil, f.invalid(fmt.Sprintf("%s[%d]", path, i), "%v", err)
		}
		list = append(list, r)
	}
	return list, nil
}

func (f *file) choice(path string, s *Selection) (*choice, error) {
	c := &choice{limit: s.Limit, by: retain.BySemver}
	var err error
	if s.SortBy != "" {
		if c.by, err = retain.ParseOrder(s.SortBy); err != nil {
			return nil, f.at(path+".sortBy", err)
		}
	}
	if s.Semver != "" {
		if c.within, err = parseRange(s.Semver); err != nil {
			return nil, f.at(path+".semver", err)
		}
	}
	if s.Regex != "" {
		if c.match, err = compilePattern(s.Regex); err != nil {
			return nil, f.at(path+".regex", err)
		}
	}
	switch {
	case s.Limit < 0:
		return nil, f.invalid(path+".limit", "%d tags can't be taken", s.Limit)
	case s.Limit == 0 && s.SortBy != "":
		return nil, f.invalid(path+".sortBy", "an order means nothing without a limit")
	case s.Limit == 0 && c.within == nil && c.match == nil:
		return nil, f.invalid(path, "nothing is selected: give semver, regex or limit")
	}
	return c, nil
}

func (f *file) wantedPlatforms(path string, e *Entry) error {
	if e.Platform != "" {
		p, err := content.ParsePlatform(e.Platform)
		if err != nil {
			return f.at(path+".platform", err)
		}
		e.platform = &p
	}
	for i, text := range e.Platforms {
		p, err := content.ParsePlatform(text)
		if err != nil {
			return f.at(fmt.Sprintf("%s.platforms[%d]", path, i), err)
		}
		if !slices.ContainsFunc(e.platforms, func(q content.Platform) bool { return content.FormatPlatform(p) == content.FormatPlatform(q) }) {
			e.platforms = append(e.platforms, p)
		}
	}
	return nil
}

// pruning makes the rules of the prune command.
func (f *file) pruning(path string, p *Pruning) (r retain.Rules, err error) {
	r.Keep, r.Untagged = p.Keep, p.Untagged
	if p.By != "" {
		if r.By, err = retain.ParseOrder(p.By); err != nil {
			return r, f.at(path+".by", err)
		}
	}
	if p.OlderThan != "" {
		if r.OlderThan, err = retain.ParseAge(p.OlderThan); err != nil {
			return r, f.at(path+".olderThan", err)
		}
	}
	if r.Match, err = f.compile(path+".match", p.Match, regexp.Compile); err != nil {
		return r, err
	}
	if r.Protect, err = f.compile(path+".protect", p.Protect, regexp.Compile); err != nil {
		return r, err
	}
	if p.Keep != nil && *p.Keep < 0 {
		return r, f.invalid(path+".keep", "%d names can't be kept", *p.Keep)
	}
	if r.Empty() {
		return r, f.invalid(path, "no rule says what goes: give keep, olderThan or untagged")
	}
	return r, nil
}
