package sync

import (
	"github.com/goccy/go-yaml/ast"

	"github.com/ocilayout/ocilayout/content"
)

const (
	// maxNodes is how many values a configuration may have with all aliases expanded.
	maxNodes = 1_000_000
	// maxNesting is how deep brackets may nest; the parser takes long where they do.
	maxNesting = 1000
)

// checkNesting refuses text with too many brackets open at one place, whatever they mean
// there.
func checkNesting(data []byte) error {
	open := 0
	for _, c := range data {
		switch c {
		case '[', '{':
			if open++; open > maxNesting {
				return content.Errorf(content.ErrRefused, "brackets nest deeper than %d", maxNesting)
			}
		case ']', '}':
			open = max(open-1, 0)
		}
	}
	return nil
}

// checkExpansion refuses what grows without bounds: aliases of aliases.
func checkExpansion(f *ast.File) error {
	x := expansion{anchors: map[string]int{}}
	for _, doc := range f.Docs {
		if x.size(doc.Body) > maxNodes {
			return content.Errorf(content.ErrRefused, "with its aliases it has more than %d values", maxNodes)
		}
	}
	return nil
}

// expansion counts values, and knows how many each anchor stands for.
type expansion struct{ anchors map[string]int }

func (x expansion) size(n ast.Node) int {
	total := 1
	add := func(n ast.Node) { total = min(total+x.size(n), maxNodes+1) }
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			add(v)
		}
	case *ast.MappingValueNode:
		add(n.Value)
	case *ast.SequenceNode:
		for _, v := range n.Values {
			add(v)
		}
	case *ast.TagNode:
		add(n.Value)
	case *ast.AnchorNode:
		add(n.Value)
		x.anchors[n.Name.String()] = total
	case *ast.AliasNode:
		total += x.anchors[n.Value.String()]
	}
	return total
}
