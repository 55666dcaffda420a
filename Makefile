# Shortcuts; every target is a plain command that works without make.
.PHONY: build test lint race fuzz fuzz-long cross interop interop-full torture bench ci

build:
	CGO_ENABLED=0 go build -tags urfave_cli_no_docs -trimpath -o ocilayout ./cmd/ocilayout

test:
	go test ./...

lint:
	.ci/lint

race:
	.ci/race

fuzz:
	.ci/fuzz

fuzz-long:
	.ci/fuzz long

cross:
	.ci/cross

interop:
	.ci/interop

interop-full:
	.ci/interop-full

torture:
	.ci/torture long

bench:
	bench/corpus.sh
	bench/compare.sh
	bench/registry.sh

ci:
	.ci/run
