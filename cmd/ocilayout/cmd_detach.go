package main

import (
	"context"

	"github.com/ocilayout/ocilayout/artifact"
)

func detachCommand() *command {
	return &command{
		name:  "detach",
		args:  "REF@DIGEST...",
		short: "take away artifacts that were attached",
		long:  "All of one layout go in one step. What refers to them stays, and is listed. The blobs stay on the disk until gc.",
		examples: []example{
			{"One by its digest, as referrers lists it.", "ocilayout detach images@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
			{"The newest report.", "ocilayout detach images@$(ocilayout referrers images:app --type text/report --latest --format '{{(index .manifests 0).digest}}')"},
		},
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			l, artifacts, err := e.artifacts(ctx, args)
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			done, err := artifact.Detach(ctx, l, artifacts...)
			if err != nil {
				return nil, err
			}
			for _, d := range done {
				if d.Listed {
					e.warnf("%s is listed all the same: an index leads to it that is no list of referrers", d.Digest)
				}
			}
			return detached(done), nil
		},
	}
}
