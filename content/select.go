package content

import (
	"context"
	"errors"
	"strings"
)

// SelectPlatform finds the manifest for a platform: in an index at any depth, or
// d itself if it is a manifest whose config says so. Attestations are no
// platforms. None is ErrNotFound, with the platforms that are there.
func SelectPlatform(ctx context.Context, f Fetcher, d Descriptor, want Platform, limits Limits) (Descriptor, error) {
	var have []string
	found, err := selectIn(ctx, f, d, want, limits.WithDefaults(), 0, &have)
	if err != nil {
		return Descriptor{}, err
	}
	if found.Digest == "" {
		return Descriptor{}, AtDigest(d.Digest, Errorf(ErrNotFound, "no image for %s, only for %s",
			FormatPlatform(want), strings.Join(have, ", ")))
	}
	return found, nil
}

func selectIn(ctx context.Context, f Fetcher, d Descriptor, want Platform, limits Limits, depth int, have *[]string) (Descriptor, error) {
	if depth > limits.Depth {
		return Descriptor{}, AtDigest(d.Digest, Errorf(ErrRefused, "indexes nest deeper than %d", limits.Depth))
	}
	if !IsIndex(d.MediaType) {
		return selectManifest(ctx, f, d, want, limits, have)
	}
	m, _, err := FetchManifest(ctx, f, d, limits)
	if err != nil {
		return Descriptor{}, err
	}
	for _, child := range m.Manifests {
		if !HasEdges(child.MediaType) || IsAttestation(child) {
			continue
		}
		found, err := selectIn(ctx, f, child, want, limits, depth+1, have)
		switch {
		case errors.Is(err, ErrNotFound):
			continue // a sparse index: what is not here can't be chosen
		case err != nil || found.Digest != "":
			return found, err
		}
	}
	return Descriptor{}, nil
}

func selectManifest(ctx context.Context, f Fetcher, d Descriptor, want Platform, limits Limits, have *[]string) (Descriptor, error) {
	p := d.Platform
	if p == nil {
		var err error
		if p, err = PlatformOf(ctx, f, d, limits); err != nil || p == nil {
			return Descriptor{}, err
		}
	}
	if !MatchPlatform(want, *p) {
		*have = append(*have, FormatPlatform(*p))
		return Descriptor{}, nil
	}
	return d, nil
}

// PlatformOf reads the platform of an image's manifest from its config. It is nil
// for what is not an image.
func PlatformOf(ctx context.Context, f Fetcher, d Descriptor, limits Limits) (*Platform, error) {
	m, _, err := FetchManifest(ctx, f, d, limits)
	if err != nil || !m.IsImage() {
		return nil, err
	}
	config, _, err := FetchConfig(ctx, f, *m.Config, limits)
	if err != nil || config.OS == "" {
		return nil, err
	}
	p := NormalizePlatform(config.Platform)
	return &p, nil
}
