//go:build full

package interop

import (
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// TestFullForeignCosign: what cosign save writes keeps its bytes as the entries of
// other tools do.
func TestFullForeignCosign(t *testing.T) {
	dir, cosign, _ := cosignIn(t)
	from := helloLayout(t)
	repo := registry(t, testkit.Client(t, "registry")) + "/hello"
	pushTo(t, from+":1.0", repo+":v1")
	cosign("sign", "--key", "cosign.key", "--signing-config", "signing.json", "--allow-insecure-registry", "--yes", repo+"@"+digest(t, from+":1.0"))
	saved := filepath.Join(dir, "saved")
	checked(t, saved)
	cosign("save", "--dir", saved, "--allow-insecure-registry", repo+":v1")
	keepsForeign(t, saved)
}
