package mutate

import (
	"encoding/json"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// listSubjects has Save list what has changed below c, and has a subject, as a referrer
// of it: the new manifest is one too.
func (c *Child) listSubjects(job *Job) error {
	var manifest *rawjson.Object
	switch {
	case c.Image != nil:
		manifest = c.Image.Manifest
	case c.Index != nil:
		manifest = c.Index.Manifest
		for _, child := range c.Index.Children {
			if err := child.listSubjects(job); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	raw := manifest.Get("subject")
	if !isSet(raw) || c.Result().Digest == c.Descriptor.Digest {
		return nil
	}
	var subject content.Descriptor
	if err := json.Unmarshal(raw, &subject); err != nil {
		return content.AtDigest(c.Descriptor.Digest, content.Errorf(content.ErrCorrupt, "subject: %w", err))
	}
	job.Report.Referrers = append(job.Report.Referrers, Referrer{Subject: subject, Artifact: c.Result()})
	return nil
}
