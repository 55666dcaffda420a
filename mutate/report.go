package mutate

import (
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A Report says what Apply made. Its JSON is what the commands print.
type Report struct {
	Old     content.Digest `json:"old"`
	New     content.Digest `json:"new"`
	Changed bool           `json:"changed"`
	// Images are those that changed, in the order of the index.
	Images []ImageReport `json:"images"`
	// Layers are those that were rewritten or added, each once.
	Layers []LayerReport `json:"layers"`
	// LayersRead is how many layers were read, whether or not they changed.
	LayersRead int      `json:"layersRead"`
	Warnings   []string `json:"warnings,omitempty"`

	// Entry is what index.json is to have for the result; its names are those of the
	// entry that Apply was given.
	Entry layout.Entry `json:"-"`
	// Referrers are artifacts, pushed to the batch, that Save lists for their subjects.
	Referrers []Referrer `json:"-"`
}

// An ImageReport is one image that changed.
type ImageReport struct {
	Platform string         `json:"platform,omitempty"`
	Old      content.Digest `json:"old"`
	New      content.Digest `json:"new"`
}

// A LayerReport is one layer that was rewritten; added, then Old is ""; or emptied and so
// taken out, then New and DiffID are "".
type LayerReport struct {
	Old     content.Digest `json:"old,omitempty"`
	New     content.Digest `json:"new,omitempty"`
	DiffID  content.Digest `json:"diffID,omitempty"`
	Size    int64          `json:"size"`
	Members int            `json:"members"`           // that it has now; 0 of one that is only compressed or named otherwise
	Dropped int            `json:"dropped,omitempty"` // members that it had
}

// A Referrer is an artifact that has Subject as its subject.
type Referrer struct {
	Subject  content.Descriptor
	Artifact content.Descriptor
}

// report tells what has become of the tree.
func (j *Job) report(root *Child) (*Report, error) {
	r := j.Report
	r.New = root.Result().Digest
	r.Images = root.changed(r.Images)
	root.warnAttested(j)
	if err := root.listSubjects(j); err != nil {
		return nil, err
	}
	e, err := layout.ParseEntry(j.spelled.bytes(root.Entry))
	if err != nil {
		return nil, err
	}
	r.Entry = e
	r.Changed = r.New != r.Old || string(r.Entry.Raw) != string(j.spelled[root.Entry].data)
	return r, nil
}

// changed adds the images below c that changed.
func (c *Child) changed(list []ImageReport) []ImageReport {
	if im := c.Image; im != nil && im.Result().Digest != im.Descriptor.Digest {
		list = append(list, ImageReport{content.FormatPlatform(im.Platform), im.Descriptor.Digest, im.Result().Digest})
	}
	if c.Index != nil {
		for _, child := range c.Index.Children {
			list = child.changed(list)
		}
	}
	return list
}
