package main

import "github.com/ocilayout/ocilayout/internal/testkit/build"

// loads is a layout of which no consumer takes all.
func loads() *build.Layout {
	l := build.NewLayout()
	l.Tag("app:v1", l.Image(image("amd64", "app")))
	db := l.Index(l.Image(image("amd64", "db")), l.Image(image("arm64", "db")))
	l.Tag("docker.io/library/db:v1", db)
	l.Attach(db, "application/spdx+json", []byte(`{"spdxVersion":"SPDX-2.3"}`))
	l.Tag("docker.io/library/chart:v1", l.Artifact("application/vnd.example", nil, []byte("chart")))
	return l
}
