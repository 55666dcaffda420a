package consumer

// Where the rules come from. The files are those of mid 2026; file and line are of the
// commit in the address.
const (
	containerdSource  = "https://github.com/containerd/containerd/blob/301026e58c619e63d09c0ec411012e54c0124b03/"
	mobySource        = "https://github.com/moby/moby/blob/b985e2313a8676e18072b442911fc8f64f17d440/"
	kindSource        = "https://github.com/kubernetes-sigs/kind/blob/fed268827e21ca48a74c38215c316dd343364ef5/"
	podmanSource      = "https://github.com/containers/common/blob/f437c58aab67eec2b1c942f7ad4fec37a25a3766/"
	imageSource       = "https://github.com/containers/image/blob/df7e80d2d19872b61f352a8a182ec934dc0c2346/"
	k3sSource         = "https://github.com/k3s-io/k3s/blob/8fed810c3776d28e31efb3cdc0eda8d551f7f212/"
	bazelSource       = "https://github.com/bazel-contrib/rules_oci/blob/75ff28238f0a135903882f78cc19bf3ba2ef280e/"
	trivySource       = "https://github.com/aquasecurity/trivy/blob/dc3c56eed58ab21c7e08d26757c517bc946a86c5/"
	stereoscopeSource = "https://github.com/anchore/stereoscope/blob/4d73b6530b145f257c7067ecf475487bbc582c65/"

	allPlatforms = kindSource + "pkg/cluster/nodeutils/util.go#L86"
	importNames  = containerdSource + "client/import.go#L208-L234"
	rootfs       = containerdSource + "client/image.go#L410"
	firstEntry   = trivySource + "pkg/fanal/image/oci.go#L52-L78"
)

var (
	everyone    = []Consumer{DockerClassic, DockerContainerd, Podman, Ctr, Kind, K3s, Bazel, Scan}
	loaders     = []Consumer{DockerClassic, DockerContainerd, Podman, Ctr, Kind, K3s}
	containerds = []Consumer{Ctr, Kind, K3s}
)

// entryRules is how many rules at the beginning of the table are about which entries
// there are, whatever platforms and names are wanted of them.
const entryRules = 3

// table is every rule, in the order in which they are applied.
var table = []Rule{
	{
		ID:        "fallback-tag",
		Statement: "The list of an image's referrers under a tag made of its digest is not an image.",
		Consumers: everyone, Action: Drop, apply: dropFallbackTags,
		Source:  []string{importNames, rootfs},
		Without: "ctr and kind: exit 1, \"no match for platform in manifest\" or \"mismatched image rootfs and manifest layers\", and an image called import-DATE:sha256-… stays behind; k3s registers that image; docker's containerd store keeps it without a name; podman, bazel and scanners find a second entry.",
	},
	{
		ID:        "cosign-tag",
		Statement: "What cosign stores under sha256-….sig, .att and .sbom has the form of an image and can't be unpacked as one.",
		Consumers: everyone, Action: Drop, apply: dropCosignTags,
		Source:  []string{importNames, rootfs, firstEntry},
		Without: "ctr and kind: exit 1, \"mismatched image rootfs and manifest layers\", or in 1.6 \"no processor for media-type\", and an image called import-DATE:sha256-….sig stays behind; the others as with fallback-tag.",
	},
	{
		ID:        "artifact",
		Statement: "An entry that is no image (a signature, an SBOM, a chart, whatever has a subject and no name) can't be loaded.",
		Consumers: everyone, Action: Drop, apply: dropArtifacts,
		Source:  []string{allPlatforms, rootfs, mobySource + "daemon/containerd/image_exporter.go#L353-L366", imageSource + "oci/layout/oci_transport.go#L249-L254", stereoscopeSource + "pkg/image/oci/directory_provider.go#L71-L84"},
		Without: "kind: exit 1, \"mismatched image rootfs and manifest layers\", for every artifact, since it makes an image of each digest; ctr: the same for one with a name; with containerd 2 both make an image of it that can't run; docker's containerd store: an image that can't run; docker's classic store: nothing of it arrives; k3s registers one with a name as an image; podman: \"more than one image in oci\" unless docker's manifest.json is there; bazel and scanners find a second entry.",
	},
	{
		ID:        "image-absent",
		Statement: "Of every entry at least one image must be there in full.",
		Consumers: everyone, Action: Refuse, apply: needImage,
		Source:  []string{containerdSource + "client/import.go#L192-L201", "https://github.com/moby/moby/issues/47065"},
		Without: "exit 1, \"content digest sha256:… not found\", or an image that can't run.",
	},
	{
		ID:        "platform-absent",
		Statement: "Every image of an index must be there: a sparse one fails as a whole.",
		Consumers: []Consumer{Kind, K3s, Bazel, Scan}, Action: Narrow, apply: narrowToPresent,
		Source:  []string{allPlatforms, containerdSource + "client/import.go#L194-L200", "https://github.com/kubernetes-sigs/kind/issues/3795", "https://github.com/k3s-io/k3s/issues/10132", bazelSource + "oci/private/tarball.sh.tpl#L60-L74"},
		Without: "kind, and k3s before June 2024: \"content digest sha256:… not found\", and no image of the archive is there; bazel: the blob that oci_load reads is missing; scanners: the manifest can't be read.",
	},
	{
		ID:        "platform-node",
		Statement: "Every image must be there for the machine that loads it, so all must have one platform in common; kind asks that of indexes only.",
		Consumers: []Consumer{Ctr, Kind}, Action: Refuse, apply: needCommonPlatform,
		Source:  []string{containerdSource + "core/images/image.go#L247-L253", containerdSource + "client/import.go#L239-L250", containerdSource + "cmd/ctr/commands/images/import.go#L282-L294"},
		Without: "an index: exit 1, \"no match for platform in manifest\", and images that come after it are not unpacked; ctr, another image alone: exit 1, \"image might be filtered out\".",
	},
	{
		ID:        "attestation",
		Statement: "The attestations that BuildKit puts into an index count as images.",
		Consumers: []Consumer{Scan}, Action: Narrow, apply: dropAttestations,
		Source:  []string{stereoscopeSource + "pkg/image/oci/directory_provider.go#L71-L84", firstEntry},
		Without: "syft and grype take an only image whatever its platform, but not one beside an attestation: \"expected 1, found 0\"; trivy takes child 0 of an index whatever it is.",
	},
	{
		ID:        "one-manifest",
		Statement: "Scanners read one image: the entry must be a manifest, not an index.",
		Consumers: []Consumer{Scan}, Action: Narrow, apply: narrowToManifest,
		Source:  []string{firstEntry, stereoscopeSource + "pkg/image/oci/directory_provider.go#L71-L84"},
		Without: "trivy scans child 0, syft and grype the one for this machine: two scanners report on two images.",
	},
	{
		ID:        "name-missing",
		Statement: "containerd keeps an image by its name: without one it makes none.",
		Consumers: containerds, Action: Drop, apply: needName,
		Source:  []string{importNames},
		Without: "exit 0, and the image is not there (ctr, k3s before November 2025); kind calls it import-DATE@sha256:…, which no pod can ask for by tag.",
	},
	{
		ID:        "name-repository",
		Statement: "A name must be one of docker's grammar with a repository; a tag alone is not.",
		Consumers: loaders, Action: Refuse, apply: needRepository,
		Source:  []string{containerdSource + "core/images/archive/reference.go#L42-L57", mobySource + "daemon/internal/image/tarexport/load.go#L148-L156", k3sSource + "pkg/agent/containerd/containerd.go#L238-L264", podmanSource + "libimage/normalize.go#L61-L63"},
		Without: "ctr, kind and k3s call v1 import-DATE:v1, and of two images with equal tags one is lost; podman calls it localhost/v1:latest; docker's containerd store <none>, and the classic one fails: \"invalid reference format\".",
	},
	{
		ID:        "name-long",
		Statement: "Names are written in docker's long form, docker.io/library/app:v1, in io.containerd.image.name.",
		Consumers: []Consumer{DockerContainerd, Podman, Ctr, Kind, K3s}, Action: Rename, apply: needLongName,
		Source:  []string{importNames, "https://github.com/containerd/containerd/issues/1816", podmanSource + "libimage/normalize.go#L15"},
		Without: "ctr, kind and k3s keep app:v1 as it is, and a pod that asks for app:v1 means docker.io/library/app:v1; podman calls it localhost/app:v1.",
	},
	{
		ID:        "name-twice",
		Statement: "A name is that of one image.",
		Consumers: loaders, Action: Refuse, apply: needOneOfAName,
		Source:  []string{containerdSource + "client/import.go#L252-L270", mobySource + "daemon/internal/image/tarexport/load.go#L247-L253"},
		Without: "exit 0, and the last one has the name.",
	},
	{
		ID:        "docker-manifest",
		Statement: "docker's manifest.json must be there; it holds one image of each entry, with layers that are there and can be read.",
		Consumers: []Consumer{DockerClassic, Podman}, Action: Write, ArchiveOnly: true, apply: needDockerManifest,
		Source:  []string{mobySource + "daemon/internal/image/tarexport/load.go#L55-L67", podmanSource + "libimage/load.go#L64-L114", imageSource + "oci/layout/oci_transport.go#L249-L254", "https://github.com/docker/build-push-action/issues/897"},
		Without: "docker's classic store: \"does not contain a manifest.json\", in 20.10 \"open …/blobs/json: no such file\"; podman: exit 125 as soon as there are two entries, \"more than one image in oci, choose an image\".",
	},
	{
		ID:        "one-system",
		Statement: "All images are for one operating system: a daemon refuses the archive at the first for another.",
		Consumers: []Consumer{DockerClassic}, Action: Refuse, ArchiveOnly: true, apply: needOneSystem,
		Source:  []string{mobySource + "daemon/internal/image/tarexport/load.go#L102-L104"},
		Without: "exit 1, \"cannot load windows image on linux\"; images that come after it are not loaded.",
	},
	{
		ID:        "zstd",
		Statement: "Layers are not compressed with zstd, which docker's classic store reads only from version 23 on.",
		Consumers: []Consumer{DockerClassic}, Action: Refuse, ArchiveOnly: true, apply: needNoZstd,
		Source:  []string{"https://github.com/moby/moby/pull/41759", "https://docs.docker.com/engine/release-notes/23.0/"},
		Without: "exit 1, \"archive/tar: invalid tar header\".",
	},
	{
		ID:        "one-entry",
		Statement: "index.json has one entry.",
		Consumers: []Consumer{Bazel, Scan}, Action: Refuse, apply: needOneEntry,
		Source:  []string{bazelSource + "oci/private/tarball.sh.tpl#L26-L30", bazelSource + "oci/private/image.sh#L48", firstEntry, stereoscopeSource + "pkg/image/oci/directory_provider.go#L71-L84"},
		Without: "oci_load: \"Expected exactly one manifest\"; oci_image and oci_push take entry 0, and so does trivy; syft and grype: \"unexpected number of images\".",
	},
	{
		ID:        "something",
		Statement: "There is at least one image.",
		Consumers: everyone, Action: Refuse, apply: needSomething,
		Source:  []string{containerdSource + "client/import.go#L248", imageSource + "oci/layout/oci_transport.go#L249-L254", bazelSource + "oci/private/tarball.sh.tpl#L26-L30"},
		Without: "ctr and kind: exit 1, \"image might be filtered out\"; podman and bazel fail too; docker's classic store says nothing.",
	},
	{
		ID:        "plain-tar",
		Statement: "The archive is not compressed.",
		Consumers: []Consumer{Ctr, Kind}, Action: Write, ArchiveOnly: true,
		Source:  []string{containerdSource + "core/images/archive/importer.go#L65-L93"},
		Without: "exit 1, \"archive/tar: invalid tar header\".",
	},
	{
		ID:        "file-suffix",
		Statement: "The file's name ends in .tar.",
		Consumers: []Consumer{K3s}, Action: Say, ArchiveOnly: true, apply: needSuffix,
		Source:  []string{k3sSource + "pkg/agent/containerd/containerd.go#L183-L217"},
		Without: "the file is passed over: \"unhandled file type\".",
	},
}
