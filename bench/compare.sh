#!/usr/bin/env bash
# Measures ocilayout beside the tools that do the same work, on the same input
# and in one run: the programs of a contest take turns, and every second round
# goes the other way. Prints medians.
#
# usage: bench/compare.sh [RUNS] [CONTEST...]      default: 5 runs, all contests but
#                                                  referrers-million
#
# Wall is the median of whole processes in seconds, CPU its user and system time,
# peak the highest resident memory of any run in MB, size what was written in MB.
# Ratio is wall against the fastest peer of the contest; aim is what we promise.
# n is the number of runs: peers that take a minute run once. Caches are warm;
# ocilayout's own state in a layout is removed before each run, unless the title says
# that its catalog is warm too. Outputs of earlier programs are on disk before the
# next one starts.
#
# shellcheck disable=SC2016,SC2034,SC2154 # the commands are expanded where they run; race.sh reads and sets the rest
set -euo pipefail

# shellcheck source=bench/race.sh
. "$(dirname "$0")/race.sh"
needs skopeo regctl umoci crane oras
"$here/corpus.sh"

# What the contests read: the archive, its layout, 20,000 small blobs, 120,000
# entries.
export corpus=$bench/corpus.tar layout=$bench/layout many=$bench/many big=$bench/big
if wants export-oci export-docker copy verify files retime recompress label squash unpack repack; then
	rm -rf "$layout"
	"$ours" import "$corpus" "$layout" >/dev/null
fi
if wants small-blobs; then
	generated "$many" -images 6667 -referrers 0 -distinct
fi
generated "$big" -images 10000 -referrers 10

if contest import-gzip 'docker archive -> layout, gzip'; then
	entry ocilayout 0.75 'exec $ours import $corpus $out'
	entry 'skopeo copy' peer 'exec skopeo copy -q docker-archive:$corpus oci:$out:latest'
	race
fi

if contest import-none 'docker archive -> layout, not compressed'; then
	entry 'ocilayout --compress none' 0.8 'exec $ours import --compress none $corpus $out'
	entry 'cp, sha256sum' peer 'cp $corpus $out && sha256sum $out'
	race
fi

if contest export-oci 'layout -> oci-archive, verified'; then
	entry 'ocilayout --no-sync' 0.8 'exec $ours export --no-sync $layout $out'
	entry 'ocilayout, durable' - 'exec $ours export $layout $out'
	entry 'regctl image export' peer 'exec regctl image export ocidir://$layout:latest $out'
	race
fi

if contest export-docker 'layout -> docker-archive'; then
	entry ocilayout 0.5 'exec $ours export --to docker $layout $out'
	entry 'skopeo copy' peer 'exec skopeo copy -q oci:$layout:latest docker-archive:$out:bench/corpus:latest'
	race
fi

if contest copy 'layout -> layout'; then
	entry 'ocilayout --no-sync' 0.8 'exec $ours copy --no-sync $layout $out'
	entry 'ocilayout, durable' 1.2 'exec $ours copy $layout $out'
	entry 'ocilayout --link' 0.15 'exec $ours copy --link $layout $out'
	entry 'regctl image copy' peer 'exec regctl image copy ocidir://$layout:latest ocidir://$out:latest'
	race
fi

if contest small-blobs '20,000 small blobs -> archive'; then
	before='rm -rf $many/.ocilayout'
	entry ocilayout 1.0 'exec $ours export $many $out'
	entry tar peer 'exec tar -C $many -cf $out .'
	race
fi

if contest verify 'every digest and diffID'; then
	"$ours" export --to docker "$layout" "$bench/layout-docker.tar" >/dev/null
	before='rm -rf $layout/.ocilayout'
	entry 'ocilayout verify, layout' 0.13 'exec $ours verify $layout'
	entry 'crane validate, docker archive' peer 'exec crane validate --tarball $bench/layout-docker.tar'
	race
fi

if contest verify-quick 'structure of 120,000 manifests, beside reading them'; then
	before='rm -rf $big/.ocilayout'
	entry 'ocilayout verify --level quick' 2.0 'exec $ours verify --level quick $big'
	entry 'cat, sha256sum' peer 'find $big/blobs -type f -print0 | xargs -0 cat | sha256sum'
	race
fi

if wants files squash unpack; then
	built gunzip bench/gunzip
	mapfile -t files < <("$ours" inspect "$layout" --format '{{range .layers}}{{.digest}}{{"\n"}}{{end}}' | sed "/./!d; s|sha256:|$layout/blobs/sha256/|")
	export blobs="${files[*]}"
fi

if contest files 'the files of an image, beside decompressing its layers in parallel'; then
	entry 'ocilayout files -l' 1.1 'exec $ours files -l $layout'
	entry 'ocilayout cat, of the top layer' - 'exec $ours cat $layout app/go.mod'
	entry 'our decompressor alone' peer 'exec $bench/gunzip $blobs'
	entry 'gzip -dc' peer 'for l in $blobs; do gzip -dc $l >/dev/null & done; wait'
	race
fi

# Edits are made in a copy of the layout.
edited='cp -r $layout $out'

if contest retime 'every time in an image set'; then
	before=$edited
	entry 'ocilayout mutate --time' 0.25 'exec $ours mutate $out:latest --tag new --time set=2020-01-01T00:00:00Z'
	entry 'regctl image mod --time' peer 'exec regctl image mod ocidir://$out:latest --create new --time set=2020-01-01T00:00:00Z'
	race
fi

if contest recompress 'layers gzip -> zstd'; then
	before=$edited
	entry 'ocilayout mutate --layer-compress' 0.7 'exec $ours mutate $out:latest --tag new --layer-compress zstd'
	entry 'regctl image mod --layer-compress' peer 'exec regctl image mod ocidir://$out:latest --create new --layer-compress zstd'
	race
fi

if contest label 'a label set'; then
	before=$edited
	entry 'ocilayout mutate --label' 1.5 'exec $ours mutate $out:latest --tag new --label stage=bench'
	entry 'umoci config' peer 'exec umoci config --image $out:latest --tag new --config.label stage=bench'
	race
fi

if contest squash 'all layers made one'; then
	before=$edited
	entry 'ocilayout squash' 1.3 'exec $ours squash $out:latest --tag new'
	entry 'our codecs, on all cores' peer 'exec $bench/gunzip -gzip $blobs'
	race
fi

if contest unpack 'an image -> a directory'; then
	before='rm -rf $out.ocilayout'
	entry 'ocilayout unpack' - 'exec $ours unpack $layout $out'
	entry 'tar xzf, layer by layer (aim 1.2)' peer 'mkdir $out && for l in $blobs; do tar -xzf $l -C $out || exit; done'
	entry 'umoci unpack (aim 0.6)' peer 'exec umoci unpack --image $layout:latest $out' 3
	race
fi

if contest repack 'one changed file -> a layer'; then
	# The first one is ours; $root is where the files lie.
	before='rm -rf $out.ocilayout $bench/repacked && cp -r $layout $bench/repacked && root=$out
		if [ "$k" = 0 ]; then $ours unpack $layout $out >/dev/null; else root=$out/rootfs && umoci unpack --image $layout:latest $out; fi
		echo changed >>$root/app/go.mod'
	entry 'ocilayout repack' 0.3 'exec $ours repack $out $bench/repacked:new'
	entry 'umoci repack' peer 'exec umoci repack --image $bench/repacked:new $out' 3
	race
	rm -rf "$out.ocilayout" "$bench/repacked"
fi

if contest name '120,000 entries: a name to its digest'; then
	before='rm -rf $big/.ocilayout'
	entry 'ocilayout digest' 0.06 'exec $ours digest $big:img-007777'
	entry 'skopeo inspect --raw' peer 'exec skopeo inspect --raw oci:$big:img-007777'
	entry 'regctl manifest head' peer 'exec regctl manifest head ocidir://$big:img-007777'
	race
fi

if contest ls '120,000 entries: list the names'; then
	before='rm -rf $big/.ocilayout'
	entry 'ocilayout ls' 0.1 'exec $ours ls $big'
	entry 'umoci ls' peer 'exec umoci ls --layout $big'
	race
fi

if contest tag '120,000 entries: set a tag'; then
	before='rm -rf $big/.ocilayout && cp $big.index.json $big/index.json'
	entry 'ocilayout tag' 0.1 'exec $ours tag $big:img-007777 bench'
	entry 'umoci tag' peer 'exec umoci tag --image $big:img-007777 bench'
	race
	eval "$before"
fi

# Referrers. Attaching replaces a list, which is put back afterwards with index.json;
# the new blobs stay.
export subject=$big:img-007777 bare=$big:img-007778
restored() {
	rm -rf "$big/.ocilayout"
	cp "$big.index.json" "$big/index.json"
	[ -e "$list" ] || cp "$bench/list" "$list"
}
# tag IMAGE: the name under which an image's referrers are listed.
tag() {
	echo "$big:$("$ours" digest "$1" | tr : -)"
}
cp "$big.index.json" "$big/index.json"
list=$big/blobs/sha256/$("$ours" digest "$(tag "$subject")" | cut -d: -f2)
[ -e "$bench/list" ] || cp "$list" "$bench/list"
restored
warm='$ours referrers $subject >/dev/null'

if contest referrers '120,000 entries: referrers of one image, catalog warm'; then
	before=$warm
	entry 'ocilayout referrers' 0.02 'exec $ours referrers $subject'
	entry 'regctl artifact list' peer 'exec regctl artifact list ocidir://$subject'
	race
fi

if contest referrers-untagged '120,000 entries: referrers that are in no list, catalog warm'; then
	"$ours" untag "$(tag "$bare")" >/dev/null
	before=$warm
	entry 'ocilayout referrers' 0.02 'exec $ours referrers $bare'
	entry 'regctl artifact list (none found)' peer 'exec regctl artifact list ocidir://$bare'
	race
	restored
fi

if contest referrers-cold '120,000 entries: referrers of one image, no catalog'; then
	before='rm -rf $big/.ocilayout'
	entry 'ocilayout referrers' 0.3 'exec $ours referrers $subject'
	entry 'oras discover' peer 'exec oras discover --oci-layout $subject' 1
	race
fi

if contest attach '120,000 entries: attach a new file, catalog warm'; then
	before="$warm; date +%s.%N >$bench/report.txt"
	entry 'ocilayout attach' 0.008 'exec $ours attach $subject $bench/report.txt --type x/report'
	entry 'oras attach' peer 'exec oras attach --no-tty --disable-path-validation --oci-layout $subject --artifact-type x/report $bench/report.txt' 1
	race
	restored
fi

if contest attach-many '120,000 entries: 200 attaches in one process, 5 in five'; then
	before="$warm; mkdir -p $bench/reports; for i in {1..200}; do date +%s.%N.\$i >$bench/reports/\$i; done"
	entry 'ocilayout attach --each, 200 files' 1.0 'exec $ours attach $subject --each $bench/reports/* --type x/report'
	entry 'ocilayout attach, 5 times a file' peer 'for i in 1 2 3 4 5; do $ours attach $subject $bench/reports/$i --type x/report || exit; done'
	race
	restored
fi

if wants gc || wants gc-warm; then
	export small=$bench/12k
	[ -e "$small" ] || (cd "$repo" && go run ./bench/gen-index -images 1000 -referrers 11 "$small")
fi
if contest gc '12,000 entries: gc with nothing to remove'; then
	before='rm -rf $small/.ocilayout'
	entry 'ocilayout gc' 0.08 'exec $ours gc --grace 0s $small'
	entry 'umoci gc' peer 'exec umoci gc --layout $small' 3
	race
fi

if contest gc-warm '12,000 entries: gc with nothing to remove, catalog warm'; then
	before='$ours referrers $small:img-000777 >/dev/null'
	entry 'ocilayout gc' 0.03 'exec $ours gc --grace 0s $small'
	entry 'umoci gc' peer 'exec umoci gc --layout $small' 3
	race
fi

# Ten times as many take 6 GB and a quarter of an hour to write: only when asked for.
if [[ $wanted == *" referrers-million "* ]] && contest referrers-million '1,200,000 entries: referrers of one image'; then
	export million=$bench/million
	generated "$million" -images 100000 -referrers 10
	rm -rf "$million/.ocilayout"
	before="$warm"
	entry 'ocilayout, building the catalog' - 'exec $ours referrers $million:img-077777' 1
	entry 'ocilayout referrers, catalog warm' 2.5 'exec $ours referrers $million:img-077777'
	entry 'the same at 120,000 entries' peer 'exec $ours referrers $subject'
	race
fi

rm -rf "$out"
report
