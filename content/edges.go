package content

// Role says in what way content refers to other content.
type Role string

// The roles of an edge.
const (
	RoleConfig   Role = "config"
	RoleLayer    Role = "layer"
	RoleManifest Role = "manifest" // child of an index
	RoleSubject  Role = "subject"
)

// An Edge is a reference from one piece of content to another.
type Edge struct {
	Role Role
	To   Descriptor
}

// MayBeAbsent says whether a layout is whole without the target: a child of an
// index (the layout is sparse), the subject of a referrer, or a foreign layer.
func (e Edge) MayBeAbsent() bool {
	switch e.Role {
	case RoleManifest, RoleSubject:
		return true
	}
	return IsForeign(e.To.MediaType)
}

// Edges lists what m refers to, in the order of its bytes: config, layers,
// children, and last its subject.
func (m Manifest) Edges() []Edge {
	edges := make([]Edge, 0, len(m.Layers)+len(m.Blobs)+len(m.Manifests)+2)
	if m.Config != nil {
		edges = append(edges, Edge{RoleConfig, *m.Config})
	}
	for _, list := range [][]Descriptor{m.Layers, m.Blobs} {
		for _, d := range list {
			edges = append(edges, Edge{RoleLayer, d})
		}
	}
	for _, d := range m.Manifests {
		edges = append(edges, Edge{RoleManifest, d})
	}
	if m.Subject != nil {
		edges = append(edges, Edge{RoleSubject, *m.Subject})
	}
	return edges
}
