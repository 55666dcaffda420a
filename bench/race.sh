# What compare.sh and registry.sh share: contests, in which programs take turns. It is
# sourced, with the arguments [RUNS] [CONTEST...].
#
# shellcheck shell=bash
# shellcheck disable=SC2034 # who sources this reads the rest
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$here")
bench=${OCILAYOUT_BENCH:-/tmp/ocilayout-bench}
tools=${OCILAYOUT_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/ocilayout-tools}
export PATH=$tools/bin:$PATH bench
runs=${1:-5}
shift || true
wanted=" $* "

# needs CLIENT...: ends the run if one is not there.
needs() {
	local client
	for client in "$@" /usr/bin/time; do
		command -v "$client" >/dev/null || {
			echo "$client is needed; .ci/install brings it" >&2
			exit 1
		}
	done
}

# built NAME PACKAGE [FLAGS...]: builds a program of ours as $bench/NAME.
built() {
	(cd "$repo" && CGO_ENABLED=0 go build "${@:3}" -trimpath -o "$bench/$1" "./$2")
}

mkdir -p "$bench"
export ours=$bench/ocilayout out=$bench/out
built ocilayout cmd/ocilayout -tags urfave_cli_no_docs
results=$bench/results.tsv counts=$bench/counts.tsv
: >"$results"
: >"$counts"

# contest NAME TITLE: starts a contest; false if it is not asked for.
contest() {
	name=$1 title=$2
	who=() aims=() commands=() most=() before=:
	wants "$name"
}

# wants CONTEST...: whether one of these was asked for.
wants() {
	local one
	[ "$wanted" != "  " ] || return 0
	for one; do
		[[ $wanted != *" $one "* ]] || return 0
	done
	return 1
}

# entry WHO AIM COMMAND [MOST]: a program of the contest; AIM is "peer" for a
# yardstick and "-" for one of ours without a promise. It runs MOST times at most.
entry() {
	who+=("$1") aims+=("$2") commands+=("$3") most+=("${4:-$runs}")
}

race() {
	local round k turn last=$((${#who[@]} - 1))
	echo "$title ..." >&2
	for ((round = 0; round < runs; round++)); do
		for ((k = 0; k <= last; k++)); do
			turn=$((round % 2 ? last - k : k))
			[ "$round" -ge "${most[turn]}" ] || once "$turn"
		done
	done
}

once() {
	local k=$1 from to user sys peak size=0
	rm -rf "$out"
	eval "$before"
	sync
	from=${EPOCHREALTIME/./}
	if ! /usr/bin/time -q -o "$bench/time" -f '%U %S %M' bash -c "${commands[k]}" >"$bench/log" 2>&1; then
		echo "${who[k]} failed: ${commands[k]}" >&2
		cat "$bench/log" >&2
		exit 1
	fi
	to=${EPOCHREALTIME/./}
	read -r user sys peak <"$bench/time"
	if [ -e "$out" ]; then
		size=$(du -sb --exclude=.ocilayout "$out" | cut -f1)
	fi
	printf '%s\t%s\t%s\t%d\t%s\t%s\t%d\t%d\n' "$title" "${who[k]}" "${aims[k]}" $((to - from)) "$user" "$sys" "$peak" "$size" >>"$results"
}

# table prints what the races gave, and what was counted: lines of title, who, requests
# and how many we promise at most.
table() {
	awk -F'\t' -v counts="$counts" '
	function median(list, n,   i, j, v, a) {
		split(list, a, " ")
		for (i = 2; i <= n; i++) {
			v = a[i] + 0
			for (j = i - 1; j > 0 && a[j] + 0 > v; j--) a[j + 1] = a[j]
			a[j + 1] = v
		}
		return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
	}
	FILENAME == counts { counted[$1] = 1; requests[$1, $2] = $3; most[$1, $2] = $4; next }
	{
		key = $1 SUBSEP $2
		if (!(key in n)) { order[++rows] = key; aim[key] = $3 }
		n[key]++
		wall[key] = wall[key] " " $4 / 1e6
		cpu[key] = cpu[key] " " $5 + $6
		if ($7 > peak[key]) peak[key] = $7
		size[key] = $8
	}
	END {
		for (r = 1; r <= rows; r++) {
			split(order[r], part, SUBSEP)
			m = median(wall[order[r]], n[order[r]])
			if (aim[order[r]] == "peer" && (!(part[1] in best) || m < best[part[1]])) best[part[1]] = m
		}
		format = "  %-34s %2s %9s %8s %8s %9s %7s %6s"
		also = " %9s %5s\n"
		for (r = 1; r <= rows; r++) {
			key = order[r]
			split(key, part, SUBSEP)
			if (part[1] != title) {
				title = part[1]
				printf "\n%s\n", title
				printf format, "", "n", "wall s", "cpu s", "peak MB", "size MB", "ratio", "aim"
				printf title in counted ? sprintf(also, "requests", "aim") : "\n"
			}
			m = median(wall[key], n[key])
			ratio = (part[1] in best) ? sprintf("%.3f", m / best[part[1]]) : "-"
			printf format, part[2], n[key], sprintf("%.3f", m), sprintf("%.2f", median(cpu[key], n[key])), \
				sprintf("%.0f", peak[key] / 1024), sprintf("%.1f", size[key] / 1e6), ratio, aim[key] == "peer" ? "" : aim[key]
			printf part[1] in counted ? sprintf(also, requests[key], most[key]) : "\n"
		}
	}' "$counts" "$results"
}

# generated DIR FLAGS...: a layout of generated entries, made once.
generated() {
	local dir=$1
	shift
	[ -d "$dir" ] && return
	rm -rf "$dir.new"
	(cd "$repo" && go run ./bench/gen-index "$@" "$dir.new")
	mv "$dir.new" "$dir"
	cp "$dir/index.json" "$dir.index.json"
}

# report prints the table, and below what it was measured.
report() {
	uname -srm
	echo "$(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $(go version | cut -d' ' -f3), commit $(git -C "$repo" rev-parse --short HEAD)"
	table
}
