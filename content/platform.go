package content

import (
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// platformPart is what os, architecture and variant may be made of.
var platformPart = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
})

// platformOS is an operating system with its version and features in brackets.
var platformOS = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([A-Za-z0-9_.-]+)(?:\(([A-Za-z0-9_.-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?$`)
})

// ParsePlatform reads containerd's grammar: os[(version[+feature...])]/arch[/variant],
// or one of os and arch alone. An arch alone is one of linux; an os alone is of
// this machine's architecture. The result is normalised. What does not fit is
// ErrInvalid.
func ParsePlatform(s string) (Platform, error) {
	parts := strings.Split(s, "/")
	fail := func() (Platform, error) {
		return Platform{}, Errorf(ErrInvalid, "%q is not a platform: want os/arch or os/arch/variant", s)
	}
	m := platformOS().FindStringSubmatch(parts[0])
	if m == nil || len(parts) > 3 {
		return fail()
	}
	for _, part := range parts[1:] {
		if !platformPart().MatchString(part) {
			return fail()
		}
	}
	p := Platform{OS: m[1], OSVersion: m[2]}
	if m[3] != "" {
		p.OSFeatures = strings.Split(m[3][1:], "+")
	}
	switch {
	case len(parts) > 1:
		p.Architecture = parts[1]
	case knownOS(p.OS):
		p.Architecture = runtime.GOARCH
	case knownArch(p.OS) && m[2]+m[3] == "":
		p.OS, p.Architecture = "linux", p.OS
	default:
		return fail()
	}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return NormalizePlatform(p), nil
}

func knownOS(s string) bool {
	switch normalOS(s) {
	case "linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "solaris", "aix", "android", "dragonfly", "illumos", "ios", "js", "plan9", "wasip1":
		return true
	}
	return false
}

func knownArch(s string) bool {
	switch arch, _ := normalArch(s, ""); arch {
	case "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64", "s390x", "wasm":
		return true
	}
	return false
}

func normalOS(s string) string {
	if s = strings.ToLower(s); s == "macos" {
		return "darwin"
	}
	return s
}

// normalArch gives the one spelling of an architecture and variant.
func normalArch(arch, variant string) (string, string) {
	arch, variant = strings.ToLower(arch), strings.ToLower(variant)
	switch arch {
	case "i386":
		return "386", ""
	case "x86_64", "x86-64", "amd64":
		if variant == "v1" {
			variant = ""
		}
		return "amd64", variant
	case "aarch64", "arm64":
		if variant == "8" || variant == "v8" || variant == "v8.0" {
			variant = ""
		}
		return "arm64", variant
	case "armhf":
		return "arm", "v7"
	case "armel":
		return "arm", "v6"
	case "arm":
		switch variant {
		case "", "7":
			variant = "v7"
		case "5", "6", "8":
			variant = "v" + variant
		}
	}
	return arch, variant
}

// NormalizePlatform gives the one spelling of a platform: linux/arm is arm/v7,
// arm64/v8 is arm64, amd64/v1 is amd64, x86_64 is amd64.
func NormalizePlatform(p Platform) Platform {
	p.OS = normalOS(p.OS)
	p.Architecture, p.Variant = normalArch(p.Architecture, p.Variant)
	p.OSFeatures = slices.Clone(p.OSFeatures)
	slices.Sort(p.OSFeatures)
	return p
}

// FormatPlatform writes p in the grammar that ParsePlatform reads. It is the full
// tuple, normalised, and so a key to tell platforms apart.
func FormatPlatform(p Platform) string {
	if p.OS == "" && p.Architecture == "" {
		return ""
	}
	p = NormalizePlatform(p)
	s := p.OS
	if p.OSVersion != "" || len(p.OSFeatures) > 0 {
		s += "(" + strings.Join(append([]string{p.OSVersion}, p.OSFeatures...), "+") + ")"
	}
	s += "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// MatchPlatform says whether an image for have is what was asked for by want. OS,
// architecture and variant must be equal once normalised; a version or features
// must be equal only where want gives them.
func MatchPlatform(want, have Platform) bool {
	want, have = NormalizePlatform(want), NormalizePlatform(have)
	if want.OS != have.OS || want.Architecture != have.Architecture || want.Variant != have.Variant {
		return false
	}
	if want.OSVersion != "" && want.OSVersion != have.OSVersion {
		return false
	}
	for _, feature := range want.OSFeatures {
		if !slices.Contains(have.OSFeatures, feature) {
			return false
		}
	}
	return true
}

// IsAttestation says whether a child of an index is one of BuildKit's
// attestations: it has the platform unknown/unknown, which is none.
func IsAttestation(d Descriptor) bool {
	if d.Annotations[AnnotationReferenceType] != "" {
		return true
	}
	return d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}
