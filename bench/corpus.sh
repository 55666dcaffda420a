#!/usr/bin/env bash
# Builds the archive that compare.sh measures with: an image of about 600 MB in
# the shape `docker save` has written since Docker 1.10 (HASH/layer.tar members,
# config, manifest.json, repositories). Five layers of real files: a Debian base,
# Debian's development packages, the Go tree, a Go module cache and a small
# application directory. Equal inputs give equal bytes.
#
# usage: bench/corpus.sh          needs apt-get, dpkg-deb, tar, go
# The archive is kept in ${OCILAYOUT_BENCH:-/tmp/ocilayout-bench}/corpus.tar.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)
bench=${OCILAYOUT_BENCH:-/tmp/ocilayout-bench}
archive=$bench/corpus.tar
if [ -s "$archive" ]; then
	echo "$archive: present"
	exit 0
fi

base_packages='base-files bash coreutils dash debianutils diffutils dpkg findutils
grep gzip libc-bin libc6 libgcc-s1 libstdc++6 libssl3 ncurses-base passwd perl-base
sed sysvinit-utils tar tzdata util-linux apt libapt-pkg6.0 ca-certificates openssl'
dev_packages='binutils-x86-64-linux-gnu cpp-12 git libc6-dev libpython3.11-minimal
libpython3.11-stdlib perl-modules-5.36 python3.11-minimal vim-runtime'

mkdir -p "$bench"
work=$(mktemp -d "$bench/corpus.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 0755 "$work"

# pack DIR FILE: DIR as a layer, every entry owned by root and of one time.
pack() {
	tar --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
		--mtime=@1700000000 -C "$1" -cf "$2" .
}

# debian DIR PACKAGE...: the files of the packages, unpacked but not configured.
debian() {
	local dir=$1 deb
	shift
	mkdir -p "$dir" "$dir.debs"
	(cd "$dir.debs" && apt-get download -qq -o APT::Sandbox::User=root "$@")
	for deb in "$dir.debs"/*.deb; do
		dpkg-deb -x "$deb" "$dir"
	done
	rm -rf "$dir.debs"
}

# shellcheck disable=SC2086 # the lists are words
debian "$work/1" $base_packages
# shellcheck disable=SC2086
debian "$work/2" $dev_packages

mkdir -p "$work/3/usr/local"
cp -a "$(go env GOROOT)" "$work/3/usr/local/go"
rm -rf "$work/3/usr/local/go/pkg/obj"

mkdir -p "$work/4/go/pkg/mod"
(cd "$repo" && go mod download && go list -m -f '{{if .Dir}}{{if not .Main}}{{.Path}}@{{.Version}} {{.Dir}}{{end}}{{end}}' all) |
	while read -r module dir; do
		mkdir -p "$work/4/go/pkg/mod/$(dirname "$module")"
		cp -a "$dir" "$work/4/go/pkg/mod/$module"
	done
chmod -R u+w "$work/4"

mkdir -p "$work/5/app"
cp -a "$repo"/go.mod "$repo"/go.sum "$work/5/app/"

image=$work/image
mkdir "$image"
members=() layers='' diffs='' parent=''
for n in 1 2 3 4 5; do
	pack "$work/$n" "$work/layer.tar"
	rm -rf "${work:?}/$n"
	sum=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
	id=$(printf '%s' "$parent $sum" | sha256sum | cut -d' ' -f1)
	mkdir "$image/$id"
	mv "$work/layer.tar" "$image/$id/layer.tar"
	printf 1.0 >"$image/$id/VERSION"
	printf '{"id":"%s"%s,"created":"2023-11-14T22:13:20Z","os":"linux"}' \
		"$id" "${parent:+,\"parent\":\"$parent\"}" >"$image/$id/json"
	layers+="${layers:+,}\"$id/layer.tar\""
	diffs+="${diffs:+,}\"sha256:$sum\""
	members+=("$id")
	parent=$id
done

history='{"created":"2023-11-14T22:13:20Z","created_by":"corpus.sh"}'
printf '{"architecture":"amd64","os":"linux","created":"2023-11-14T22:13:20Z","config":{"Cmd":["/bin/bash"],"Env":["PATH=/usr/local/go/bin:/usr/bin:/bin"]},"rootfs":{"type":"layers","diff_ids":[%s]},"history":[%s]}' \
	"$diffs" "$history,$history,$history,$history,$history" >"$work/config.json"
config=$(sha256sum "$work/config.json" | cut -d' ' -f1)
mv "$work/config.json" "$image/$config.json"
printf '[{"Config":"%s.json","RepoTags":["bench/corpus:latest"],"Layers":[%s]}]\n' \
	"$config" "$layers" >"$image/manifest.json"
printf '{"bench/corpus":{"latest":"%s"}}\n' "$parent" >"$image/repositories"

mapfile -t sorted < <(printf '%s\n' "${members[@]}" | sort)
tar --format=gnu --owner=0 --group=0 --numeric-owner --mtime=@1700000000 \
	-C "$image" -cf "$work/corpus.tar" "$config.json" "${sorted[@]}" manifest.json repositories
mv "$work/corpus.tar" "$archive"
echo "$archive: $(stat -c %s "$archive") bytes"
