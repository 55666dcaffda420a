package consumer

import (
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A Consumer is a program, or a kind of programs, that an archive or a layout is for.
type Consumer string

// The consumers. The oldest versions that the rules hold for are docker 20.10,
// podman 4, containerd 1.6 and the k3s releases of June 2024.
const (
	Docker           Consumer = "docker"            // docker load, whichever store the daemon has
	DockerClassic    Consumer = "docker-classic"    // docker load into graph drivers, the only store before Docker 23
	DockerContainerd Consumer = "docker-containerd" // docker load into the containerd store
	Podman           Consumer = "podman"            // podman load
	Ctr              Consumer = "ctr"               // ctr images import
	Kind             Consumer = "kind"              // kind load image-archive
	K3s              Consumer = "k3s"               // a file in the agent's directory of images, of rke2 too
	Bazel            Consumer = "bazel"             // a directory for rules_oci, or another that takes the first entry
	Scan             Consumer = "scan"              // trivy, syft, grype
)

// All lists the consumers in the order of the documentation.
func All() []Consumer {
	return []Consumer{Docker, DockerClassic, DockerContainerd, Podman, Ctr, Kind, K3s, Bazel, Scan}
}

// Parse reads the name of a consumer; another one is ErrInvalid.
func Parse(name string) (Consumer, error) {
	if c := Consumer(name); slices.Contains(All(), c) {
		return c, nil
	}
	var known []string
	for _, c := range All() {
		known = append(known, string(c))
	}
	return "", content.Errorf(content.ErrInvalid, "%q is no consumer: want %s", name, strings.Join(known, ", "))
}

// is says whether a rule for other holds for c: of docker, which may have either
// store, the rules of both hold.
func (c Consumer) is(other Consumer) bool {
	return c == other || c == Docker && (other == DockerClassic || other == DockerContainerd)
}

// Listed says whether the consumer lists what it loaded by name. The others are given
// a path.
func (c Consumer) Listed() bool { return c != Bazel && c != Scan }

// sparse says whether the consumer loads an index of which it is not given all images,
// and so whether an index can keep its digest when it is narrowed.
func (c Consumer) sparse() bool {
	switch c {
	case Kind, K3s, Bazel, Scan:
		return false
	}
	return true
}
