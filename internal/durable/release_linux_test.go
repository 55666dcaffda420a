package durable

import "testing"

func TestKernelVersions(t *testing.T) {
	for release, want := range map[string]bool{
		"5.8.0": true, "5.10.0-28-amd64": true, "6.1": true, "10.0.1": true, "5.8-rc1": true,
		"5.7.19": false, "4.19.0-26": false, "3.10.0-1160.el7.x86_64": false, "": false, "six": false,
	} {
		if got := atLeast(release, 5, 8); got != want {
			t.Errorf("atLeast(%q, 5, 8) = %v", release, got)
		}
	}
}
