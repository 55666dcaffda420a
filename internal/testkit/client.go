package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Client returns the path of the external program called name, such as
// "skopeo", for a test that runs it. It looks in the bin folder of the tools
// directory first (see Tools), then along PATH.
//
// A test that needs an absent program is skipped with the reason, unless the
// environment asks for it (see Required): then the test fails. So a machine with only Go passes,
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
	if Required(name) {
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

// Required reports whether OCILAYOUT_TEST_REQUIRE, names with commas between
// them, asks for name or for all.
func Required(name string) bool {
	for required := range strings.SplitSeq(os.Getenv("OCILAYOUT_TEST_REQUIRE"), ",") {
		if required = strings.TrimSpace(required); required == name || required == "all" {
			return true
		}
	}
	return false
}
