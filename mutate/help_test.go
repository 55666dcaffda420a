package mutate_test

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/ocilayout/ocilayout/mutate"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func decode(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

// flaggedAll parses names and values of flags in turn, and adds them to text.
func flaggedAll(t *testing.T, flags []string, text *[]string) []mutate.Edit {
	t.Helper()
	var edits []mutate.Edit
	for i := 0; i < len(flags); i += 2 {
		edits = append(edits, flagged(t, flags[i], flags[i+1]))
		if *text = append(*text, "--"+flags[i]); flags[i+1] != "" {
			*text = append(*text, flags[i+1])
		}
	}
	return edits
}
