package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Client returns the path of the external program called name, such as
// "skopeo", for a test that runs it. It looks in the bin folder of the tools
// directory first (see Tools), then along PATH.
//
// A test that needs an absent program is skipped with the reason, unless the
// environment variable OCILAYOUT_TEST_REQUIRE, a list of names with commas,
// holds its name or "all": then the test fails. So a machine with only Go passes,
// and one that is meant to have every client cannot pass by having none.
func Client(t testing.TB, name string) string {
	t.Helper()
	own := filepath.Join(Tools(), "bin", name)
	if path, err := exec.LookPath(own); err == nil {
		return path
	}
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if required(os.Getenv("OCILAYOUT_TEST_REQUIRE"), name) {
		t.Fatalf("%s is required here and was not found: %v", name, err)
	}
	t.Skipf("needs %s: %v", name, err)
	return ""
}

// Tools returns the directory in which .ci/install puts the clients that it
// builds: OCILAYOUT_TOOLS, or ocilayout-tools in the user's cache directory.
func Tools() string {
	if dir := os.Getenv("OCILAYOUT_TOOLS"); dir != "" {
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "ocilayout-tools")
}

// required reports whether list, names with commas between them, asks for name.
func required(list, name string) bool {
	names := strings.Split(list, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return slices.Contains(names, name) || slices.Contains(names, "all")
}
