package toolref

import "regexp"

// A place is the form in which a layout lies.
type place uint8

const (
	directory place = iota
	archive         // an uncompressed tar
)

// A tool is how one program names images of layouts.
type tool struct {
	name string
	// source is where its grammar and its rule were read.
	source string
	ways   []way
	// without says why there are no words for a layout in a place of which there is
	// no way.
	without string
}

// A way is one form of words. Of several the first that says what is meant is taken.
type way struct {
	in place
	// words has {path}, {name} and {digest} where those stand; a space ends a word.
	words string
	// paths and names are what the path and the name may be; nil is anything.
	paths, names *grammar
	// finds says which entry of index.json the program finds; nil with a {digest},
	// under which it finds any content.
	finds rule
}

// A grammar is what a program can read.
type grammar struct {
	re  *regexp.Regexp
	not string // what is said of the rest
}

var (
	noColon  = &grammar{regexp.MustCompile(`^[^:]+$`), `the path ends at the first ":"`}
	noAt     = &grammar{regexp.MustCompile(`^[^@]+$`), `what follows the last "@" is a digest`}
	noEither = &grammar{regexp.MustCompile(`^[^:@]+$`), `the path ends at the first ":" or "@"`}
	// podman makes a name for its storage of the path.
	repositoryPath = &grammar{regexp.MustCompile(`^/*` + lowerPart + `(?:/` + lowerPart + `)*$`),
		"the path becomes the name of a repository, which has lower case letters, digits and single . _ - between them"}
	regctlPath = &grammar{regexp.MustCompile(`^[/a-zA-Z0-9_. ~+-]+$`), "a path is of letters, digits, spaces and / _ - . ~ +"}
	// tags are those of a registry (distribution-spec, "Pulling manifests").
	tags = &grammar{regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`), "a name is a tag: letters, digits and . _ -"}
	// refNames are those of the image-spec (annotations.md, "ref.name").
	refNames = &grammar{regexp.MustCompile(`^` + namePart + `(?:/` + namePart + `)*$`), "the name is not of the grammar for org.opencontainers.image.ref.name"}
	// storageNames are those that podman can have for what it takes from a tar.
	storageNames = &grammar{regexp.MustCompile(`^(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?` + lowerPart + `(?:/` + lowerPart + `)*(?::[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})?$`),
		"the name of an image in a tar becomes that of a repository, which has lower case letters"}
	noColonName = &grammar{regexp.MustCompile(`^[^:@]+$`), `a name begins after the last ":" and is cut at an "@"`}
	wordName    = &grammar{regexp.MustCompile(`^[^@]+$`), `a name is cut at an "@"`}
)

const (
	lowerPart = `[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*`
	namePart  = `[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*`
)

// tools is the table. It was read in November 2026 in the sources named; those of
// skopeo, podman, regctl, oras and crane are held against the programs by tests.
var tools = []tool{
	{
		name:   "skopeo",
		source: "containers/image oci/internal/oci_util.go (SplitPathAndImage, ValidateImageName), oci/layout/oci_transport.go (getManifestDescriptor)",
		ways: []way{
			{in: directory, words: "oci:{path}:{name}", paths: noColon, names: refNames, finds: firstRef},
			{in: directory, words: "oci:{path}", paths: noColon, finds: onlyEntry},
			{in: archive, words: "oci-archive:{path}:{name}", paths: noColon, names: refNames, finds: firstRef},
			{in: archive, words: "oci-archive:{path}", paths: noColon, finds: onlyEntry},
		},
	},
	{
		name:   "regctl",
		source: "regclient types/ref/ref.go (ocidirRE), scheme/ocidir/ocidir.go (indexGet)",
		ways: []way{
			{in: directory, words: "ocidir://{path}:{name}", paths: regctlPath, names: tags, finds: refOrSuffix},
			{in: directory, words: "ocidir://{path}@{digest}", paths: regctlPath},
		},
		without: "a layout is read from a directory only",
	},
	{
		name:   "oras",
		source: "oras cmd/oras/internal/option/target.go (parseOCILayoutReference), cmd/oras/internal/fileref/unix.go, oras-go content/oci/readonlyoci.go (loadIndex)",
		ways: []way{
			{in: directory, words: "--oci-layout {path}:{name}", paths: noAt, names: noColonName, finds: lastRef},
			{in: directory, words: "--oci-layout-path {path} {name}", names: wordName, finds: lastRef},
			{in: directory, words: "--oci-layout {path}@{digest}"},
			{in: archive, words: "--oci-layout {path}:{name}", paths: noAt, names: noColonName, finds: lastRef},
			{in: archive, words: "--oci-layout-path {path} {name}", names: wordName, finds: lastRef},
			{in: archive, words: "--oci-layout {path}@{digest}"},
		},
	},
	{
		name:   "buildx",
		source: "buildx util/ocilayout/parse.go, util/imagetools/inspect.go (resolveOCILayout), buildkit client/ociindex/ociindex.go (Get)",
		ways: []way{
			{in: directory, words: "oci-layout://{path}:{name}", paths: noAt, names: tags, finds: imageNameOrRef},
			{in: directory, words: "oci-layout://{path}@{digest}"},
		},
		without: "a layout is read from a directory only",
	},
	{
		name:   "trivy",
		source: "trivy pkg/fanal/image/oci.go (tryOCI, getOCIImage), pkg/fanal/image/archive.go",
		ways: []way{
			{in: directory, words: "--input {path}:{name}", paths: noEither, names: wordName, finds: firstRef},
			{in: directory, words: "--input {path}@{digest}", paths: noAt, finds: anyEntry},
			{in: archive, words: "--input {path}", finds: onlyInDockerManifest},
		},
	},
	{
		name:   "syft",
		source: "stereoscope pkg/image/oci/directory_provider.go (Provide), tarball_provider.go",
		ways: []way{
			{in: directory, words: "oci-dir:{path}", finds: onlyEntry},
			{in: archive, words: "oci-archive:{path}", finds: onlyEntry},
		},
	},
	{
		name:   "crane",
		source: "go-containerregistry cmd/crane/cmd/push.go (loadImage)",
		ways: []way{
			{in: directory, words: "{path}", finds: onlyEntry},
			{in: archive, words: "{path}", finds: onlyInDockerManifest},
		},
	},
	{
		name:   "podman",
		source: "as skopeo, and containers/common libimage/pull.go (copyFromDefault), libimage/normalize.go (NormalizeName)",
		ways: []way{
			{in: directory, words: "oci:{path}:{name}", paths: repositoryPath, names: refNames, finds: firstRef},
			{in: directory, words: "oci:{path}", paths: repositoryPath, finds: onlyEntry},
			{in: archive, words: "oci-archive:{path}:{name}", paths: noColon, names: storageNames, finds: firstRef},
			{in: archive, words: "oci-archive:{path}", paths: noColon, finds: onlyNameless},
		},
	},
}
