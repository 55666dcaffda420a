//go:build !linux || !amd64

package torture

import (
	"os"
	"testing"
)

// TestElsewhere says that the harness is for one platform.
func TestElsewhere(t *testing.T) {
	if os.Getenv("OCILAYOUT_TORTURE") != "" {
		t.Fatal("the fault harness reads the registers of linux/amd64")
	}
	t.Skip("needs linux/amd64")
}
