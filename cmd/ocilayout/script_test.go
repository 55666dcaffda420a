package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ocilayout": main})
}

// TestScript runs the scripts in testdata/script: what users type and what they
// see. The first word of a script's name is the command that it is about.
//
// Beside testscript's own commands there are
//
//	exits N PROGRAM ARG...      run it; its exit code must be N
//	json-get FILE POINTER WANT  the value at the JSON pointer (RFC 6901) must be
//	                            WANT: a string as it is, anything else as compact
//	                            JSON. Without WANT it must be there; with "!" in
//	                            front it must not be, or not be WANT. "len" as the
//	                            last step is an array's length. FILE may be stdout.
//	fixture NAME PATH           write one of fixtures to a directory, or a .tar
//	registry NAME [USER PASSWORD]
//	                            start a registry until the script ends, and put its
//	                            address into an environment variable, and the port
//	                            alone into NAME_PORT
//	proxy NAME FILE             start a proxy until the script ends, with a registry behind
//	                            it whose certificate is put into FILE
//	offline N PROGRAM ARG...    exits without a network; the condition [offline] says
//	                            whether that can be
//	json-env NAME FILE POINTER  put the value into an environment variable
//
// and the variables GOOS, GOARCH and ESCAPE, a terminal's control sequence.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       updating(),
		Setup: func(env *testscript.Env) error {
			env.Setenv("GOOS", runtime.GOOS)
			env.Setenv("GOARCH", runtime.GOARCH)
			env.Setenv("ESCAPE", "\x1b[2J")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    scriptExits,
			"fixture":  scriptFixture,
			"json-get": scriptJSONGet,
			"json-env": scriptJSONEnv,
			"registry": scriptRegistry,
			"expand":   scriptExpand,
			"offline":  scriptOffline,
			"proxy":    scriptProxy,
		},
		Condition: func(cond string) (bool, error) {
			if cond != "offline" {
				return false, fmt.Errorf("there is no condition %q", cond)
			}
			return withoutNetwork() != nil, nil
		},
	})
}

// updating says whether golden files are to be written and not compared.
func updating() bool { return os.Getenv("OCILAYOUT_UPDATE") == "1" }

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exits %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func scriptJSONGet(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 && len(args) != 3 {
		ts.Fatalf("usage: [!] json-get FILE POINTER [WANT]")
	}
	got, found := jsonAt(ts, args[0], args[1])
	switch {
	case len(args) == 2 && found == neg:
		ts.Fatalf("%s%s: found: %v", args[0], args[1], found)
	case len(args) == 3 && !found && !neg:
		ts.Fatalf("%s%s: not there", args[0], args[1])
	case len(args) == 3 && found && (got == args[2]) == neg:
		ts.Fatalf("%s%s: is %s, want %s", args[0], args[1], got, args[2])
	}
}

func scriptRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 && len(args) != 3 {
		ts.Fatalf("usage: registry NAME [USER PASSWORD]")
	}
	reg := fakeregistry.Start()
	ts.Defer(reg.Close)
	if len(args) == 3 {
		reg.User, reg.Password = args[1], args[2]
	}
	ts.Setenv(args[0], reg.Host())
	ts.Setenv(args[0]+"_PORT", reg.Host()[strings.LastIndexByte(reg.Host(), ':')+1:])
}

// scriptExpand puts the values of variables into files, for $NAME or ${NAME}.
func scriptExpand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: expand FILE...")
	}
	for _, file := range args {
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(os.Expand(ts.ReadFile(file), ts.Getenv)), 0o644))
	}
}

func scriptJSONEnv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: json-env NAME FILE POINTER")
	}
	got, found := jsonAt(ts, args[1], args[2])
	if !found {
		ts.Fatalf("%s%s: not there", args[1], args[2])
	}
	ts.Setenv(args[0], got)
}

// jsonAt returns the value at pointer in a JSON file of the script.
func jsonAt(ts *testscript.TestScript, file, pointer string) (string, bool) {
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(file)))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		ts.Fatalf("%s: %v", file, err)
	}
	if dec.More() {
		ts.Fatalf("%s: more than one JSON value", file)
	}
	v, found := follow(v, pointer)
	if s, ok := v.(string); ok {
		return s, found
	}
	text, err := json.Marshal(v)
	ts.Check(err)
	return string(text), found
}

func follow(v any, pointer string) (any, bool) {
	if pointer == "" || pointer == "/" {
		return v, true
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[step]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			if step == "len" {
				return len(at), true
			}
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}
