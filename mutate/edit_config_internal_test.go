package mutate

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// everyConfigEdit sets and deletes every field of a config.
var everyConfigEdit = []Change{
	SetEntrypoint{[]string{"a"}}, SetCmd{[]string{"b", "<"}}, SetEnv{"A", "1"}, SetEnv{"B", ""}, SetLabel{"l", "1"}, SetLabel{"m", ""},
	SetUser{"u"}, SetWorkdir{"/w"}, Expose{"80/tcp", false}, Expose{"53/udp", true}, SetVolume{"/v", false}, SetVolume{"/x", true},
	SetStopSignal{"SIGINT"}, SetHealthcheck{json.RawMessage(`{"Test":[]}`)}, SetAuthor{"me"}, SetCreated{"2020-01-01T00:00:00Z"},
	SetPlatform{content.Platform{OS: "linux", Architecture: "arm", Variant: "v6"}}, LabelsToAnnotations{},
	SetEntrypoint{}, SetCmd{}, SetUser{}, SetWorkdir{}, SetStopSignal{}, SetHealthcheck{}, SetAuthor{}, SetCreated{}, Clear{[]string{"onbuild", "shell"}},
}

// namedKeys are those at the top of a config that everyConfigEdit names.
var namedKeys = []string{"config", "author", "created", "os", "architecture", "variant", "os.version", "os.features"}

// FuzzConfigEdits runs every edit on any config: the result is JSON, says to every
// reader the same if the config did, and has the other fields byte for byte.
func FuzzConfigEdits(f *testing.F) {
	for _, config := range []string{
		`{}`, `{"config":null}`, `{"config":{"Env":["A=2","B=3","\u0041=x"],"env":[]}}`, `{"Config":{"labels":{"L":"1","l":"2"}},"x":1e3}`,
		`{"config":{"ExposedPorts":{"80":{}},"Volumes":[]}}`, `{"os":"linux","OS":"x"}`, `{"o\u017f":"linux","rootfs":{ "y": [1.0] }}`, `{"config":{"Env":[1]}}`, `{"config":[]}`,
	} {
		f.Add([]byte(config))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		before, err := rawjson.Parse(config)
		if err != nil {
			return
		}
		after, err := rawjson.Parse(bytes.Clone(config))
		if err != nil {
			t.Fatal(err)
		}
		job := &Job{Report: &Report{}}
		im := &Image{Job: job, Config: after, Manifest: &rawjson.Object{}, Entry: &rawjson.Object{}, ConfigEntry: &rawjson.Object{}}
		clear := rawjson.Check(config, 64) == nil
		for _, edit := range everyConfigEdit {
			was := after.Bytes()
			err := edit.Image(t.Context(), im)
			if !json.Valid(after.Bytes()) {
				t.Fatalf("%T makes %s of %s, %v", edit, after.Bytes(), was, err)
			}
			if clear && rawjson.Check(after.Bytes(), 64) != nil {
				t.Fatalf("%T makes %s of %s: %v", edit, after.Bytes(), was, rawjson.Check(after.Bytes(), 64))
			}
		}
		for _, field := range before.Fields() {
			named := slices.ContainsFunc(namedKeys, func(key string) bool { return rawjson.Fold(key) == rawjson.Fold(field.Key) })
			if !named && !bytes.Equal(after.Get(field.Key), field.Value) {
				t.Fatalf("%q was %s and is %s", field.Key, field.Value, after.Get(field.Key))
			}
		}
	})
}
