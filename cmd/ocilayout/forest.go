package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// forest shows trees to people.
type forest []*layout.Tree

// Tables draws the trees with lines.
func (f forest) Tables() []render.Table {
	t := render.Table{Header: []string{"CONTENT", "DIGEST", "SIZE", "TYPE"}}
	for _, root := range f {
		drawTree(&t, root, "", "")
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []render.Table{t}
}

// drawTree adds the row of t after first, and those below it after rest.
func drawTree(to *render.Table, t *layout.Tree, first, rest string) {
	size := render.Size(t.Size)
	switch {
	case t.Absent:
		size = "absent"
	case t.Again:
		size = "see above"
	}
	to.Rows = append(to.Rows, []string{first + treeLabel(t), t.Digest.String(), size, cmp.Or(t.ArtifactType, t.MediaType)})
	below := append(append([]*layout.Tree(nil), t.Children...), t.Referrers...)
	for i, child := range below {
		if i == len(below)-1 {
			drawTree(to, child, rest+"└─ ", rest+"   ")
		} else {
			drawTree(to, child, rest+"├─ ", rest+"│  ")
		}
	}
}

// treeLabel says what a node is: its name, its role and its platform.
func treeLabel(t *layout.Tree) string {
	var parts []string
	for _, part := range []string{t.Name, string(t.Role), platformText(t.Platform)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return "(untagged)"
	}
	return strings.Join(parts, " ")
}

// Form writes the forest for Graphviz or Mermaid.
func (f forest) Form(w io.Writer, format string) error {
	p := picture{w: bufio.NewWriter(w), dot: format == "dot", ids: map[content.Digest]string{}, drawn: map[edge]bool{}}
	if p.dot {
		p.w.WriteString("digraph layout {\n  rankdir=LR\n  node [shape=box]\n")
	} else {
		p.w.WriteString("graph LR\n")
	}
	for _, root := range f {
		p.add(root)
	}
	if p.dot {
		p.w.WriteString("}\n")
	}
	return p.w.Flush()
}

// picture writes nodes and edges, each of them once.
type picture struct {
	w     *bufio.Writer
	dot   bool
	ids   map[content.Digest]string
	drawn map[edge]bool
}

// An edge says that one thing refers to another, as its subject if so marked.
type edge struct {
	from, to string
	subject  bool
}

func (p *picture) add(t *layout.Tree) string {
	id, known := p.ids[t.Digest]
	if !known {
		id = fmt.Sprintf("n%d", len(p.ids))
		p.ids[t.Digest] = id
		p.node(id, t)
	}
	for _, child := range t.Children {
		p.edge(edge{id, p.add(child), false})
	}
	for _, referrer := range t.Referrers {
		p.edge(edge{p.add(referrer), id, true})
	}
	return id
}

func (p *picture) node(id string, t *layout.Tree) {
	lines := []string{treeLabel(t), content.Short(t.Digest), cmp.Or(t.ArtifactType, t.MediaType)}
	if p.dot {
		for i, line := range lines {
			lines[i] = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(render.Escape(line))
		}
		fmt.Fprintf(p.w, "  %s [label=\"%s\"]\n", id, strings.Join(lines, `\n`))
		return
	}
	for i, line := range lines {
		lines[i] = strings.NewReplacer(`&`, "#amp;", `"`, "#quot;", "<", "#lt;", ">", "#gt;").Replace(render.Escape(line))
	}
	fmt.Fprintf(p.w, "  %s[\"%s\"]\n", id, strings.Join(lines, "<br/>"))
}

// edge draws what refers to what; a subject's edge is dashed.
func (p *picture) edge(e edge) {
	if p.drawn[e] {
		return // a blob that is config and layer, say
	}
	p.drawn[e] = true
	switch {
	case p.dot && e.subject:
		fmt.Fprintf(p.w, "  %s -> %s [style=dashed]\n", e.from, e.to)
	case p.dot:
		fmt.Fprintf(p.w, "  %s -> %s\n", e.from, e.to)
	case e.subject:
		fmt.Fprintf(p.w, "  %s -.-> %s\n", e.from, e.to)
	default:
		fmt.Fprintf(p.w, "  %s --> %s\n", e.from, e.to)
	}
}
