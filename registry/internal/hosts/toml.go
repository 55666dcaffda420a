package hosts

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// maxFile is more than any of these files has.
const maxFile = 1 << 20

// readFile reads a file of at most maxFile bytes. Errors name it.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, broken(path, "it has more than %d bytes", maxFile)
	}
	return data, nil
}

// A table is one of a TOML file, whose keys are asked for. What is not of the type that
// is asked for is the file's error, the first one of them.
type table struct {
	file   *tomlFile
	name   string // with a point behind, "" for the whole file
	values map[string]any
}

type tomlFile struct {
	path string
	err  error
}

// parse reads the file at path, which has data. Errors after it are in table.file.err.
func parse(path string, data []byte) (table, error) {
	t := table{file: &tomlFile{path: path}}
	if err := toml.Unmarshal(data, &t.values); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			row, _ := at.Position()
			text, _, _ := strings.Cut(strings.TrimPrefix(at.Error(), "toml: "), "\n")
			return t, broken(path, "line %d: %s", row, text)
		}
		return t, broken(path, "%v", err)
	}
	return t, nil
}

// fail keeps what is wrong with a key, or with "" the table.
func (t table) fail(key, format string, args ...any) {
	if t.file.err == nil {
		t.file.err = broken(t.file.path, "%s: %s", strings.TrimSuffix(t.name+key, "."), fmt.Sprintf(format, args...))
	}
}

func (t table) text(key string) string {
	s, ok := t.values[key].(string)
	if _, there := t.values[key]; there && !ok {
		t.fail(key, "want a string")
	}
	return s
}

func (t table) flag(key string) bool {
	b, ok := t.values[key].(bool)
	if _, there := t.values[key]; there && !ok {
		t.fail(key, "want true or false")
	}
	return b
}

// texts is a string, or an array of some.
func (t table) texts(key string) []string {
	switch v := t.values[key].(type) {
	case nil:
		return nil
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				t.fail(key, "want strings")
			}
			all = append(all, s)
		}
		return all
	}
	t.fail(key, "want a string, or an array of strings")
	return nil
}

// sub is the table under a key, empty if there is none.
func (t table) sub(key string) table {
	m, ok := t.values[key].(map[string]any)
	if _, there := t.values[key]; there && !ok {
		t.fail(key, "want a table")
	}
	name := key
	if strings.ContainsAny(key, `."/: `) {
		name = strconv.Quote(key)
	}
	return table{t.file, t.name + name + ".", m}
}

// subs are the tables of an array of them.
func (t table) subs(key string) []table {
	v, there := t.values[key]
	list, ok := v.([]any)
	if there && !ok {
		t.fail(key, "want tables in double brackets")
	}
	var all []table
	for i, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			t.fail(key, "want tables in double brackets")
		}
		all = append(all, table{t.file, fmt.Sprintf("%s%s[%d].", t.name, key, i), m})
	}
	return all
}
