package main

import (
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// inOneLayout reads references to what is in the layout of the first, which is among them.
func inOneLayout(first layout.Reference, others []string) ([]layout.Reference, error) {
	refs := []layout.Reference{first}
	for _, arg := range others {
		ref, err := layout.ParseReference(arg)
		if err != nil {
			return nil, err
		}
		if ref.Layout != first.Layout {
			return nil, content.Errorf(content.ErrInvalid, "%s is not in %s: untag one layout at a time", ref, first.Layout)
		}
		refs = append(refs, ref)
	}
	return refs, nil
}
