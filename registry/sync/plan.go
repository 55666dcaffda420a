package sync

import (
	"fmt"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A Job is one name that an entry is about, with what is known of both sides.
type Job struct {
	Entry          *Entry
	Source, Target Point
	From           Seen // at Source; not looked at where Mode.Missing makes it needless
	Have           Seen // at Target
}

// Seen is what is at a point: nothing, if it is the zero value.
type Seen struct {
	Digest content.Digest
	// MediaType is that of what the name stands for.
	MediaType string
	// Child is the image of the platform that is wanted alone; "" if none is.
	Child content.Digest
	// Err says why nobody knows.
	Err error
}

// wanted is what the target gets.
func (s Seen) wanted() content.Digest {
	if s.Child != "" {
		return s.Child
	}
	return s.Digest
}

// A Mode says how plans are made.
type Mode struct {
	// Missing copies only names that the target does not have.
	Missing bool
	// Env is what the templates of backups see.
	Env Environment
}

// An Action is what becomes of a job.
type Action string

// The actions.
const (
	ActionCopy    Action = "copy"      // the target gets other content under the name
	ActionRefresh Action = "refresh"   // the content is the same, what belongs to it may not be
	ActionKeep    Action = "unchanged" // nothing is to do
	ActionSkip    Action = "skip"      // nothing is done, by rule
	ActionFail    Action = "fail"      // nobody knows what to do
)

// works says whether anything is done.
func (a Action) works() bool { return a == ActionCopy || a == ActionRefresh }

// A Step is a job with what is done about it, and why.
type Step struct {
	Job
	Action Action
	Reason string
	Err    error // of ActionFail
	// Backup is what the content that loses its name is called from then on; nil if
	// nothing of that kind is done.
	Backup *Point
	// Bytes moved for it, and not for a step before it, once it is done.
	Bytes int64
}

// Plan decides what is done, one step for each job, in their order. It looks at nothing
// but its arguments. Where several jobs have the same target, the last one that is done
// counts, as if one were done after the other.
func Plan(jobs []Job, mode Mode) []Step {
	steps := make([]Step, len(jobs))
	taken := map[Point]bool{}
	for i := len(jobs) - 1; i >= 0; i-- {
		s := &steps[i]
		s.Job = jobs[i]
		s.decide(mode)
		if s.Action == ActionFail || s.Action == ActionSkip {
			continue
		}
		if taken[s.Target] {
			s.Action, s.Reason, s.Backup = ActionSkip, "a later entry has the same target", nil
		}
		taken[s.Target] = true
	}
	return steps
}

func (s *Step) decide(mode Mode) {
	e := s.Entry
	if s.Have.Err != nil {
		s.fail(s.Have.Err)
		return
	}
	if mode.Missing && s.Have.Digest != "" {
		s.Action, s.Reason = ActionSkip, "the target has the name"
		return
	}
	switch {
	case s.From.Err != nil:
		s.fail(s.From.Err)
	case s.From.Digest == "":
		s.fail(content.At(s.Source.String(), content.Errorf(content.ErrNotFound, "not found")))
	case !e.takes(s.From.MediaType):
		s.Action, s.Reason = ActionSkip, fmt.Sprintf("%s is not among mediaTypes", s.From.MediaType)
	case s.Have.Digest == "":
		s.Action, s.Reason = ActionCopy, "new"
	case s.Have.Digest != s.From.wanted():
		s.Action, s.Reason = ActionCopy, "moved"
		s.backup(mode.Env)
	case isSet(e.FastCheck):
		s.Action, s.Reason = ActionKeep, "same digest"
	case isSet(e.ForceRecursive):
		s.Action, s.Reason = ActionRefresh, "same digest; all below it is looked at"
	case isSet(e.Referrers) || isSet(e.DigestTags):
		s.Action, s.Reason = ActionRefresh, "same digest; what refers to it is looked at"
	default:
		s.Action, s.Reason = ActionKeep, "same digest"
	}
}

func (s *Step) fail(err error) {
	s.Action, s.Reason, s.Err = ActionFail, err.Error(), err
}

// backup makes the name that the old content of the target gets. What has a ":" or "/"
// in it is a whole reference, anything else a tag beside the target's.
func (s *Step) backup(env Environment) {
	if s.Entry.Backup == "" {
		return
	}
	text, err := env.expand(s.Entry.Backup, struct {
		Ref        templateRef
		Step, Sync Entry
	}{newTemplateRef(s.Target), *s.Entry, *s.Entry})
	if text = strings.TrimSpace(text); err == nil && text == "" {
		err = content.Errorf(content.ErrInvalid, "it is empty")
	}
	to := s.Target.named(text)
	if err == nil && strings.ContainsAny(text, ":/") {
		to, err = parseImage(text)
	} else if err == nil && !tagShape.MatchString(text) {
		err = content.Errorf(content.ErrInvalid, "%q can't be a tag", text)
	}
	if err != nil {
		s.fail(content.At(s.Target.String(), content.Errorf(content.ErrInvalid, "the name of the backup: %v", err)))
		return
	}
	s.Backup = &to
}

// templateRef is a reference as regclient's templates know it.
type templateRef struct {
	Scheme, Reference, Registry, Repository, Tag, Digest, Path string
}

func newTemplateRef(p Point) templateRef {
	r := templateRef{
		Scheme: "reg", Reference: p.String(), Registry: p.Host, Repository: p.Repository,
		Tag: p.Name, Digest: p.Digest.String(), Path: p.Layout,
	}
	if p.Layout != "" {
		r.Scheme = "ocidir"
	}
	return r
}

// CommonName writes the reference.
func (r templateRef) CommonName() string { return r.Reference }
