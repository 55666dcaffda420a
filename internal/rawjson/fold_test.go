package rawjson_test

import (
	"encoding/json"
	"testing"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// TestFold: keys fold alike where encoding/json takes one for the other.
func TestFold(t *testing.T) {
	type object struct {
		Value bool `json:"task.schemaVersions"`
	}
	for key, like := range map[string]bool{
		"task.schemaVersions": true, "TASK.SCHEMAVERSIONS": true, "taſk.schemaVersionſ": true, "tas\u212a.schemaversions": true,
		"task.schemaVersion": false, "task.schemaVersionß": false, "täsk.schemaVersions": false, "task.schemaVersıons": false, "": false,
	} {
		var o object
		data, err := json.Marshal(map[string]bool{key: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &o); err != nil {
			t.Fatal(err)
		}
		if got := rawjson.Fold(key) == rawjson.Fold("task.schemaVersions"); got != like || got != o.Value {
			t.Errorf("%q: folds alike %t, to encoding/json %t, want %t", key, got, o.Value, like)
		}
	}
	if rawjson.Fold("ÄΣ") != rawjson.Fold("äς") {
		t.Error("letters beyond ASCII do not fold")
	}
	if got := rawjson.Fold("schemaversion"); got != "schemaversion" {
		t.Errorf("Fold of lower case is %q", got)
	}
}
