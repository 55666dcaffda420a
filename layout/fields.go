package layout

import (
	"encoding/json"
	"slices"
	"strings"
)

// indexField is a member of index.json beside manifests.
type indexField struct {
	key string
	raw json.RawMessage
}

// foreignFields lists the members that say something of their own: what tools have
// added, and annotations.
func (x *Index) foreignFields() []indexField {
	var list []indexField
	for _, key := range x.Fields() {
		if key != "schemaVersion" && key != "mediaType" {
			list = append(list, indexField{key, x.Field(key)})
		}
	}
	return list
}

// bringField adds a member with the bytes that it has elsewhere, unless there is one
// of its name in any case: some readers tell those apart and others do not.
func (tx *Tx) bringField(f indexField) {
	same := func(key string) bool { return strings.EqualFold(key, f.key) }
	if !slices.ContainsFunc(tx.base.Fields(), same) &&
		!slices.ContainsFunc(tx.fields, func(have indexField) bool { return same(have.key) }) {
		tx.fields = append(tx.fields, f)
	}
}
