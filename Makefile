# Shortcuts; every target is a plain command that works without make.
.PHONY: build test lint race fuzz cross interop bench ci

build:
	CGO_ENABLED=0 go build -trimpath -o ocilayout ./cmd/ocilayout

test:
	go test ./...

lint:
	.ci/lint

race:
	.ci/race

fuzz:
	.ci/fuzz

cross:
	.ci/cross

interop:
	.ci/interop

bench:
	bench/corpus.sh
	bench/compare.sh

ci:
	.ci/run
