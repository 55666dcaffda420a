#!/usr/bin/env bash
# Measures push, pull and sync beside the other clients, against distribution's registry
# on loopback, whose data is on the same disk. As compare.sh does, but requests are
# counted too: in a run of their own, through countproxy, so that it costs no time.
#
# usage: bench/registry.sh [RUNS] [CONTEST...]      default: 5 runs, all contests
# The contests are push, push-mount, push-again, pull, pull-again, sync, sync-again and
# referrers.
#
# What is pushed is bench/corpus.sh's image of five layers, compressed (200 MB) and not
# (600 MB), and 200 small images that share layers (11 MB). An empty registry is one
# whose data was removed. Where a registry has the blobs in another repository, skopeo
# pushed them there, so that its cache knows; ocilayout is told with --mount-from.
#
# shellcheck disable=SC2016,SC2034,SC2154 # the commands are expanded where they run; race.sh reads and sets the rest
set -euo pipefail

# shellcheck source=bench/race.sh
. "$(dirname "$0")/race.sh"
needs skopeo regctl regsync crane oras registry referrers-registry
"$here/corpus.sh"
built countproxy bench/countproxy

data=$bench/registry-data
servers=()
trap 'stop; rm -rf "$data" "$out"' EXIT

# listen LOG COMMAND...: starts what serves, and sets $address to where, as it says in LOG.
listen() {
	local log=$1
	shift
	: >"$log"
	"$@" >>"$log" 2>&1 &
	servers+=($!)
	for _ in {1..200}; do
		address=$(sed -nE 's/.*listening on ([0-9.]+:[0-9]+).*/\1/p' "$log" | head -n 1)
		[ -z "$address" ] || return 0
		sleep 0.05
	done
	cat "$log" >&2
	return 1
}

stop() {
	[ ${#servers[@]} -eq 0 ] || kill "${servers[@]}" 2>/dev/null || true
	servers=()
	wait
}

# start COMMAND...: starts a registry, and the proxy before it. $host is where clients go.
start() {
	stop
	listen "$bench/registry.log" "$@"
	export host=$address
	listen "$bench/requests" "$bench/countproxy" "$host"
	proxy=$address
}

distribution() {
	rm -rf "$data"
	printf '%s\n' 'version: 0.1' "storage: {filesystem: {rootdirectory: $data}}" \
		'http: {addr: "127.0.0.1:0"}' 'log: {level: info, accesslog: {disabled: true}}' >"$bench/registry.yml"
	start registry serve "$bench/registry.yml"
}

# empty removes what the registry has.
empty() { rm -rf "$data"; }

# filled: the image is in the registry, at team/app:v1.
filled() { "$ours" push --no-referrers "$layout" "$host/team/app:v1" >/dev/null; }

# count MOST...: races, and then runs each program once more, through the proxy. The
# contest's first programs are promised to make no more than so many requests.
count() {
	local k limits=("$@") direct=$host
	race
	host=$proxy
	for ((k = 0; k < ${#who[@]}; k++)); do
		rm -rf "$out"
		eval "$before"
		: >"$bench/requests"
		bash -c "${commands[k]}" >"$bench/log" 2>&1
		printf '%s\t%s\t%d\t%s\n' "$title" "${who[k]}" "$(wc -l <"$bench/requests")" "${limits[k]:-}" >>"$counts"
	done
	host=$direct
}

# What runs in each contest, with the arguments of ours.
pushes() {
	entry "ocilayout push${2:+ --mount-from}" "$1" "exec \$ours push --no-referrers $2 \$layout \$host/team/app:v1"
	entry 'skopeo copy' peer 'exec skopeo --insecure-policy copy -q --preserve-digests --dest-tls-verify=false oci:$layout:latest docker://$host/team/app:v1'
	entry 'crane push' peer 'exec crane push --insecure $layout $host/team/app:v1'
	entry 'regctl image copy' peer 'exec regctl --host reg=$host,tls=disabled image copy ocidir://$layout:latest $host/team/app:v1'
	entry 'oras cp' peer 'exec oras cp --no-tty --from-oci-layout $layout:latest --to-plain-http $host/team/app:v1'
}

pulls() {
	entry 'ocilayout pull, durable' "$1" 'exec $ours pull --no-referrers $host/team/app:v1 $out'
	entry 'ocilayout pull --no-sync' "$2" 'exec $ours pull --no-sync --no-referrers $host/team/app:v1 $out'
	entry 'skopeo copy' peer 'exec skopeo --insecure-policy copy -q --preserve-digests --src-tls-verify=false docker://$host/team/app:v1 oci:$out:latest'
	entry 'crane pull' peer 'exec crane pull --insecure --format oci $host/team/app:v1 $out'
	entry 'regctl image copy' peer 'exec regctl --host reg=$host,tls=disabled image copy $host/team/app:v1 ocidir://$out:latest'
	entry 'oras cp' peer 'exec oras cp --no-tty --from-plain-http $host/team/app:v1 --to-oci-layout $out:latest'
}

for size in 200 600; do
	case $size in
	200) export layout=$bench/layout compression=gzip ;;
	600) export layout=$bench/layout-plain compression=none ;;
	esac
	wants push push-mount push-again pull pull-again || continue
	rm -rf "$layout"
	"$ours" import --compress "$compression" "$bench/corpus.tar" "$layout" >/dev/null

	if contest push "push $size MB to an empty registry"; then
		distribution
		before=empty
		pushes 1.1 ''
		count 14
	fi
	if contest push-mount "push $size MB, blobs in another repository"; then
		distribution
		before='empty; skopeo --insecure-policy copy -q --preserve-digests --dest-tls-verify=false oci:$layout:latest docker://$host/team/base:v1'
		pushes - '--mount-from team/base'
		count 8
	fi
	if contest push-again "push $size MB again"; then
		distribution
		filled
		before=:
		pushes - ''
		count 1
	fi
	if contest pull "pull $size MB"; then
		distribution
		filled
		before=:
		pulls 1.3 1.0
		count 7 7
	fi
	if contest pull-again "pull $size MB again"; then
		distribution
		filled
		before='bash -c "${commands[k]}" >/dev/null 2>&1'
		pulls - -
		count 1 1
	fi
	[ "$layout" = "$bench/layout" ] || rm -rf "$layout"
done

export many=$bench/layered
if wants sync sync-again referrers; then
	generated "$many" -images 200 -referrers 0 -layered
fi

# The same file for both.
config='printf "%s\n" "version: 1" "creds: [{registry: $host, tls: disabled}]" "defaults: {parallel: 4}" \
	"sync: [{source: $host/many, target: \"ocidir://$out\", type: repository}]" >"$bench/sync.yml"'
syncs() {
	entry 'ocilayout sync' "$1" 'exec $ours sync $bench/sync.yml'
	entry 'regsync once' peer 'exec regsync once -c $bench/sync.yml'
}

if contest sync '200 small images'; then
	distribution
	"$ours" push --all-tags "$many" "$host/many" >/dev/null
	before=$config
	syncs 0.2
	count 810
fi
if contest sync-again '200 small images again'; then
	distribution
	"$ours" push --all-tags "$many" "$host/many" >/dev/null
	before="$config; bash -c \"\${commands[k]}\" >/dev/null 2>&1"
	syncs 1.2
	count 205
fi

# With referrers: how many requests are made beyond those for the image, of three layers.
# A registry of go-containerregistry is never empty: its repositories share their blobs.
referrers() {
	if contest referrers "push, $1, $2"; then
		before='rm -rf "$data" && repository=$((${repository:-0} + 1)) && export to=$host/app$repository:v1'
		sends
		count
	fi
	if contest referrers "push again, $1, $2"; then
		before='export to=$host/app:v1'
		eval "$before"
		bash -c '$ours push $image $to' >/dev/null
		sends
		count
	fi
	if contest referrers "pull, $1, $2"; then
		before='export to=$host/app:v1'
		fetches
		count
	fi
	if contest referrers "pull again, $1, $2"; then
		before='export to=$host/app:v1; bash -c "${commands[k]}" >/dev/null 2>&1'
		fetches
		count
	fi
}

sends() {
	entry 'ocilayout push' - 'exec $ours push $image $to'
	entry 'regctl image copy, all' peer 'exec regctl --host reg=$host,tls=disabled image copy --referrers --digest-tags ocidir://$image $to'
	entry 'oras cp -r' peer 'exec oras cp --no-tty -r --from-oci-layout $image --to-plain-http $to'
}

fetches() {
	entry 'ocilayout pull' - 'exec $ours pull $to $out'
	entry 'regctl image copy, all' peer 'exec regctl --host reg=$host,tls=disabled image copy --referrers --digest-tags $to ocidir://$out:v1'
	entry 'oras cp -r' peer 'exec oras cp --no-tty -r --from-plain-http $to --to-oci-layout $out:v1'
}

if wants referrers; then
	export few=$bench/few
	for artifacts in 0 1 2; do
		rm -rf "$few"
		"$ours" copy "$many:img-000000" "$few" >/dev/null
		for ((i = 0; i < artifacts; i++)); do
			echo "$i" >"$bench/sbom.json"
			"$ours" attach "$few:img-000000" "$bench/sbom.json" --type application/spdx+json >/dev/null
		done
		export image=$few:img-000000
		distribution
		referrers "$artifacts artifacts" 'no referrers API'
		start referrers-registry
		referrers "$artifacts artifacts" 'referrers API'
	done
	rm -rf "$few"
fi

report
